#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs a command as root in a root folder, with the clone and this machine's Rust. Writes to Rust's folders go
# to an overlay. Runs in its own mount and PID namespace (unshare --mount --pid --fork), which removes the
# mounts at the end.
#
# enter.sh ROOT SCRATCH COMMAND…
#
# CLONE: a copy of the clone, mounted on /clone. KERNELS: a folder with a built kernel for each
# architecture, mounted on /kernels. CARGO_HOME, RUSTUP_HOME: Rust of this machine.
set -eu
root=$1 scratch=$2
shift 2

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/clone" "$root/rust/cargo" "$root/rust/rustup" "$root/kernels"
mount --bind "$CLONE" "$root/clone"
mount --bind -o ro "$KERNELS" "$root/kernels"
for name in cargo rustup; do
	case $name in
	cargo) lower=$CARGO_HOME ;;
	rustup) lower=$RUSTUP_HOME ;;
	esac
	mkdir -p "$scratch/$name/upper" "$scratch/$name/work"
	mount -t overlay overlay "$root/rust/$name" \
		-o "lowerdir=$lower,upperdir=$scratch/$name/upper,workdir=$scratch/$name/work"
done
# network settings of this machine
cp /etc/resolv.conf "$root/etc/resolv.conf"
if [ -d /etc/ssl/certs ] && [ -d "$root/etc/ssl/certs" ]; then
	mount --bind -o ro /etc/ssl/certs "$root/etc/ssl/certs"
fi
network=$(env | grep -E '^([a-z]+_proxy|[A-Z]+_PROXY|PIP_[A-Z_]+|SSL_CERT_FILE)=' || true)
IFS='
'
# shellcheck disable=SC2086 # one variable per line
exec chroot "$root" env -i $network \
	HOME=/root LC_ALL=C TERM=dumb \
	CARGO_HOME=/rust/cargo RUSTUP_HOME=/rust/rustup \
	PATH=/rust/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	sh -c 'cd /clone && exec "$@"' sh "$@"
