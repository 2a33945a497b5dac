#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Rejects a clone or a cache with a path that breaks make, before anything is compiled or downloaded.
# The harness rejects the same paths (harness/host/src/env/paths.rs).
set -eu

check() { # what path advice
	case $2 in
	*[[:space:]:\#\$%\'\"\`\\\;\&\|\<\>\(\)\*\?\[\]]*)
		echo "error: the path of $1 has a space or another character that the kernel's Makefile" \
			"does not support: $2; $3" >&2
		exit 2
		;;
	esac
}

check 'the clone' "$(pwd -P)" 'move it to another folder'
case ${XDG_CACHE_HOME-} in
/*) cache=$XDG_CACHE_HOME ;;
*) cache=${HOME-}/.cache ;;
esac
check 'the cache' "$cache/bpf-streams" 'set XDG_CACHE_HOME to another folder'
