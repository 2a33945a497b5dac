#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Installs cc, which cargo needs to link the harness; the harness installs all other tools.
set -eu
if command -v cc >/dev/null; then
	# a compiler without the C library cannot link
	probe=$(mktemp -d)
	trap 'rm -rf "$probe"' EXIT
	if [ -e harness/target/release/bpf-streams ] ||
		echo 'int main(void) { return 0; }' | cc -x c - -o "$probe/a" 2>/dev/null; then
		exit 0
	fi
fi
line='apt-get install --yes --no-install-recommends --no-remove gcc libc6-dev'
echo 'Rust needs a C compiler and the C library to link programs.' >&2
if ! command -v apt-get >/dev/null; then
	echo "error: this machine has no apt-get; install them with your distribution's package manager." >&2
	exit 2
fi
if [ "$(id -u)" -eq 0 ]; then
	sudo=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	sudo=sudo
else
	echo "error: installing them needs root or sudo; run: sudo apt-get update && sudo $line" >&2
	exit 2
fi
echo "    setup  install gcc, libc6-dev: $sudo $line" >&2
$sudo apt-get update --quiet
# shellcheck disable=SC2086
exec $sudo env DEBIAN_FRONTEND=noninteractive $line --quiet -o DPkg::Lock::Timeout=300
