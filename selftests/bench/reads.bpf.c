// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of reading 1 MiB of lines of 100 bytes, including system calls. Printed in parts that fit
 * mainline's streams; only the reads are measured.
 */
#include "bench.h"

static __always_inline int print_lines(void)
{
	int turn;

	bpf_for(turn, 0, 900)
		if (bpf_stream_printk(BPF_STDOUT, TEXT_100) < 0)
			return -1;
	return 0;
}

SEC("syscall")
__scenario(bench_reads_4k)
int mebibyte_in_4_kib(void *ctx)
{
	return print_lines();
}

SEC("syscall")
__scenario(bench_reads_64k)
int mebibyte_in_64_kib(void *ctx)
{
	return print_lines();
}

/* The cost of reading one KiB of a backlog, from 1 KiB to 64 MiB of unread text. */
SEC("syscall")
__scenario(bench_backlog)
int backlog(void *ctx)
{
	int turn;

	bpf_for(turn, 0, 10)
		if (bpf_stream_printk(BPF_STDOUT, TEXT_100) < 0)
			return -1;
	return 0;
}
