#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The test of the set-up inside a new root: runs the set-up, then uses every tool. /kernels has a built
# kernel for each architecture.
#
# inside.sh [PROGRAM…]: programs that set-up must unpack into the cache, because their packages conflict.
set -eu

step() {
	echo "== $*"
}

fail() {
	echo "FAILED: $*"
	exit 1
}

# doctor must fail while tools are missing, or else its success below proves nothing
step 'make doctor, before'
if make --silent doctor >/tmp/doctor 2>&1; then
	cat /tmp/doctor
	fail 'make doctor reports no missing tool in a new root'
fi
grep -cE '^(missing|broken|too old)' /tmp/doctor
sed -n '/would/,$p' /tmp/doctor

# dpkg also lists packages that were removed but not purged
installed() {
	# shellcheck disable=SC2016 # variables of dpkg-query
	dpkg-query --show --showformat '${db:Status-Status} ${Package} ${Version}\n' |
		sed -n 's/^installed //p'
}

step 'make setup'
installed >/tmp/before
make --silent setup </dev/null
installed >/tmp/after

step 'nothing was removed or downgraded'
while read -r package version; do
	now=$(awk -v package="$package" '$1 == package { print $2 }' /tmp/after)
	[ -n "$now" ] || fail "$package $version was removed"
	dpkg --compare-versions "$now" ge "$version" || fail "$package went from $version to $now"
done </tmp/before

step "unpacked into the cache: ${*:-nothing}"
for program; do
	[ -x "$HOME/.cache/bpf-streams/unpacked/bin/$program" ] || fail "$program was not unpacked"
done
[ $# -gt 0 ] || [ ! -e "$HOME/.cache/bpf-streams/unpacked" ] || fail 'set-up unpacked a package'

step 'make setup again does nothing'
make --silent setup 2>/tmp/again
if grep -qE '(install|unpack)' /tmp/again; then
	cat /tmp/again
	fail 'the second set-up installs something'
fi

# `make setup` does not install the tools for documentation and mainline
step 'make doctor, after'
make --silent doctor >/tmp/doctor || true
cat /tmp/doctor
wrong=$(grep -E '^(missing|broken|too old)' /tmp/doctor |
	grep -vE 'sphinx-build|rst2man|libcrypto' || true)
[ -z "$wrong" ] || fail "make doctor reports after make setup: $wrong"

step 'sparse checks annotations'
printf '%s\n' 'extern int __attribute__((noderef, address_space(1))) *q;' \
	'static int f(void) { return *q; }' >/tmp/sparse.c
sparse /tmp/sparse.c 2>&1 | grep 'dereference of noderef' || fail 'sparse prints no warning'

step 'pahole writes BTF'
printf 'struct s { int member; } s;\n' >/tmp/btf.c
gcc -g -c /tmp/btf.c -o /tmp/btf.o
LLVM_OBJCOPY=objcopy pahole -J /tmp/btf.o
readelf --sections /tmp/btf.o | grep '\.BTF' || fail 'no section .BTF'

step 'flex, bison, ccache and both compilers'
printf '%%%%\n. ;\n%%%%\nint yywrap(void) { return 1; }\n' | flex -o /tmp/lexer.c
printf '%%%%\nstart: ;\n%%%%\n' >/tmp/parser.y
bison -o /tmp/parser.c /tmp/parser.y
CCACHE_DIR=/tmp/ccache ccache gcc -w -c /tmp/lexer.c -o /tmp/lexer.o
aarch64-linux-gnu-gcc -c -xc -o /tmp/arm64.o - <<-'C'
	int f(void) { return 42; }
C
aarch64-linux-gnu-ld -r /tmp/arm64.o -o /tmp/arm64-2.o

step 'quilt, dpkg-source, rsync, xz'
mkdir -p /tmp/quilt/patches && cd /tmp/quilt
printf 'a\n' >file
printf -- '--- a/file\n+++ b/file\n@@ -1 +1 @@\n-a\n+b\n' >patches/p
echo p >patches/series
quilt push -a --fuzz=0
grep -q b file
mkdir -p debian/source && echo '3.0 (native)' >debian/source/format
printf 'Source: t\nMaintainer: T <t@example.org>\n\nPackage: t\nArchitecture: all\nDescription: t\n' \
	>debian/control
printf 't (1) unstable; urgency=low\n\n  * t\n\n -- T <t@example.org>  Thu, 01 Jan 1970 00:00:00 +0000\n' \
	>debian/changelog
dpkg-source --build . >/dev/null
rsync -a file /tmp/copy
xz --keep --stdout file | xz --decompress | cmp - file
cd /clone

step 'shellcheck, chromium'
shellcheck harness/ensure-linker.sh
chromium --headless --no-sandbox --disable-gpu --dump-dom 'data:text/html,<p>42</p>' 2>/dev/null |
	grep '<p>42</p>' || fail 'chromium does not render the page'

for kernel in /kernels/*; do
	step "a test with an external kernel for ${kernel##*/}"
	make --silent boot-test ARCH="${kernel##*/}" KERNEL="$kernel/image" TEST='^lengths__constant_1$'
done

step 'checkpatch with spdxcheck'
cd "$HOME"/.cache/bpf-streams/trees/linux-source-*/
checkpatch() { # licence
	printf '%s\n' "--- /dev/null" "+++ b/kernel/bpf/new.c" "@@ -0,0 +1 @@" \
		"+// SPDX-License-Identifier: $1" >/tmp/p.diff
	PATH=/usr/bin:/bin perl scripts/checkpatch.pl --strict --terse --show-types --no-summary \
		--color=never --no-signoff - </tmp/p.diff 2>/tmp/checkpatch.err || true
	[ ! -s /tmp/checkpatch.err ] || fail "checkpatch complains: $(cat /tmp/checkpatch.err)"
}
checkpatch No-Such-Licence | grep SPDX_LICENSE_TAG || fail 'spdxcheck accepts an invalid licence'
if checkpatch GPL-2.0-only | grep SPDX_LICENSE_TAG; then
	fail 'spdxcheck rejects GPL-2.0-only'
fi

cd /clone

# all programs except Debian's own, as on another distribution
step 'a machine without apt'
mkdir -p /tmp/other
for program in /usr/bin/* /usr/sbin/* /bin/* /sbin/* /rust/cargo/bin/*; do
	case ${program##*/} in
	apt* | dpkg*) ;;
	*) ln -sf "$program" "/tmp/other/${program##*/}" ;;
	esac
done
if PATH=/tmp/other make --silent doctor >/tmp/doctor; then
	fail 'make doctor reports neither a missing dpkg-source nor a missing apt'
fi
grep -E 'no apt-get|^missing .*dpkg-source' /tmp/doctor
# an in-tree build
tree=$(echo "$HOME"/.cache/bpf-streams/trees/linux-source-*[0-9]*/)
kernel=/kernels/$(uname -m | sed s/aarch64/arm64/)
cp "$kernel/image" "$kernel/vmlinux" "$kernel/config" "$tree"
PATH=/tmp/other make --silent boot-test KERNEL="$tree" TEST='^lengths__constant_1$'

step 'passed'
