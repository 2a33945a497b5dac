# SPDX-License-Identifier: GPL-2.0-only
# CONFIG=kcsan: variables for the kernel's make. KCSAN instruments only these files: 6.12 has many
# data races elsewhere, and with less code instrumented KCSAN can watch it more closely.
KCSAN_SANITIZE=n
KCSAN_SANITIZE_stream.o=y
KCSAN_SANITIZE_stream_mem.o=y
KCSAN_SANITIZE_rqspinlock.o=y
# called by the streams: llist, and copies to user space
KCSAN_SANITIZE_llist.o=y
KCSAN_SANITIZE_usercopy.o=y
