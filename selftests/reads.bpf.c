// SPDX-License-Identifier: GPL-2.0-only
/*
 * "read returns n > 0: n bytes copied; the rest of a record stays for the next read", and every
 * error of the table in the contract, after which nothing is lost. The programs print a known text;
 * the scenarios read it and note what each read returned.
 */
#include "selftest.h"

static __always_inline int print_two_records(void)
{
	bpf_stream_printk(BPF_STDOUT, "first record\n");
	bpf_stream_printk(BPF_STDOUT, "second record\n");
	bpf_stream_printk(BPF_STDERR, "third record\n");
	return 0;
}

/* Read a byte at a time. */
SEC("syscall")
__scenario(short_reads_1)
int bytewise(void *ctx)
{
	return print_two_records();
}

/* Read in pieces of 5 bytes, which fit neither record. */
SEC("syscall")
__scenario(short_reads_5)
int piecewise(void *ctx)
{
	return print_two_records();
}

/*
 * Reads that must fail, each followed by what it returned: ids 0 and 3, length 0, non-zero bytes after
 * the fields, a closed fd, an fd that is no program's, an unmapped buffer. At the end the text is read
 * as it was printed.
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

/* The same where there is nothing to read, which is all that mainline can be asked. */
SEC("syscall") __not_in_mainline("a read of more than INT_MAX bytes is no error, it takes the length for a negative one")
__scenario(invalid_read_lengths)
int longer_than_int_max_of_nothing(void *ctx)
{
	return 0;
}

/*
 * The buffer begins in a mapped page and ends in one that is not: the count of what was copied, and
 * the next read goes on where it ended.
 */
SEC("syscall") __not_in_mainline("where part of the buffer is there it copies nothing and says -EFAULT")
__scenario(partly_unmapped)
int buffer_across_fault(void *ctx)
{
	return print_two_records();
}

/* The streams are the program's: a second fd of it (BPF_PROG_GET_FD_BY_ID) reads the same text. */
SEC("syscall")
__scenario(second_fd)
int second_fd(void *ctx)
{
	return print_two_records();
}
