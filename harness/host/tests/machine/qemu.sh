#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Acts as QEMU: executes the script that a test passes as the kernel, the last argument.
for image; do :; done
# shellcheck source=/dev/null
. "$image"
