# SPDX-License-Identifier: GPL-2.0-only
# CONFIG=kcsan: variables for the kernel's make. KCSAN watches these files and no others: 6.12 races
# with itself in many places, and a kernel that is watched less can be watched closer.
KCSAN_SANITIZE=n
KCSAN_SANITIZE_stream.o=y
KCSAN_SANITIZE_stream_mem.o=y
KCSAN_SANITIZE_rqspinlock.o=y
# what the streams call: lists of pieces, and the copies to user space
KCSAN_SANITIZE_llist.o=y
KCSAN_SANITIZE_usercopy.o=y
