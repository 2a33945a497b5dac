// SPDX-License-Identifier: GPL-2.0-only
/*
 * "read returns n > 0: n bytes copied; the rest of a record stays for the next read", and every error in
 * the contract's table, after which no text is lost. The programs print a known text; the scenarios read it
 * and note the result of each read.
 */
#include "selftest.h"

static __always_inline int print_two_records(void)
{
	bpf_stream_printk(BPF_STDOUT, "first record\n");
	bpf_stream_printk(BPF_STDOUT, "second record\n");
	bpf_stream_printk(BPF_STDERR, "third record\n");
	return 0;
}

/* Reads one byte at a time. */
SEC("syscall")
__scenario(short_reads_1)
int bytewise(void *ctx)
{
	return print_two_records();
}

/* Reads 5 bytes at a time, which is not a multiple of either record. */
SEC("syscall")
__scenario(short_reads_5)
int piecewise(void *ctx)
{
	return print_two_records();
}

/*
 * Reads that must fail, each with its result: ids 0 and 3, length 0, non-zero bytes after the fields,
 * a closed fd, an fd that is not a program, an unmapped buffer. At the end the text is read
 * unchanged.
 */
SEC("syscall")
__scenario(invalid_reads)
int bad_reads(void *ctx)
{
	return print_two_records();
}

/* Lengths above INT_MAX, which mainline takes for negative ones. At the end the text is read. */
SEC("syscall") __not_run_in_mainline("a read of more than INT_MAX bytes makes the kernel warn, so it is not tried")
__scenario(invalid_read_lengths)
int longer_than_int_max(void *ctx)
{
	return print_two_records();
}

/* As above with empty streams, the only case that mainline supports. */
SEC("syscall") __not_in_mainline("a read of more than INT_MAX bytes is no error, it takes the length for a negative one")
__scenario(invalid_read_lengths)
int longer_than_int_max_of_nothing(void *ctx)
{
	return 0;
}

/*
 * The buffer begins in a mapped page and ends in an unmapped one: the read returns the number of copied
 * bytes, and the next read continues there.
 */
SEC("syscall") __not_in_mainline("where part of the buffer is there it copies nothing and says -EFAULT")
__scenario(partly_unmapped)
int buffer_across_fault(void *ctx)
{
	return print_two_records();
}

/* A second fd of the program (BPF_PROG_GET_FD_BY_ID) reads the same streams. */
SEC("syscall")
__scenario(second_fd)
int second_fd(void *ctx)
{
	return print_two_records();
}
