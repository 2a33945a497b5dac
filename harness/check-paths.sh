#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Refuses a clone or a cache whose path make cannot take, before anything is compiled or downloaded.
# The harness refuses the same (harness/host/src/paths.rs); it is compiled only later.
set -eu

check() { # what path advice
	case $2 in
	*[[:space:]:\#\$%\'\"\`\\\;\&\|\<\>\(\)\*\?\[\]]*)
		echo "error: the path of $1 has a space or another character that the kernel's Makefile" \
			"cannot take: $2; $3" >&2
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
