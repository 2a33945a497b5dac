#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# cargo links the harness with cc, so cc is the one tool that the harness cannot get for itself.
set -eu
command -v cc >/dev/null && exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo 'Rust needs a C compiler to link with; get it: sudo apt-get install gcc libc6-dev' >&2
	exit 1
fi
apt-get update --quiet
apt-get install --yes --no-install-recommends gcc libc6-dev
