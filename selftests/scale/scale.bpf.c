// SPDX-License-Identifier: GPL-2.0-only
/*
 * Throughput of many CPUs that print at the same time, and the memory that a record takes, for `make
 * bench`. The scenarios run the programs on 1, 2, 4 and 8 CPUs for half a second each; each CPU reads the
 * stream after each run, so that it is never full for long.
 */
#include "../selftest.h"

#define LINE "fifty bytes in a line, from one of several CPUs .\n"
_Static_assert(sizeof(LINE) == 50 + 1, "as long as it says");

/* Prints 100 lines of 50 bytes, and returns how many were refused. */
static __always_inline int print_lines(void)
{
	int turn, refused = 0;

	bpf_for(turn, 0, 100)
		refused += bpf_stream_printk(BPF_STDOUT, LINE) < 0;
	return refused;
}

/* All CPUs print to the stream of one program. */
SEC("syscall")
__scenario(scale_one_stream)
int one_stream(void *ctx)
{
	return print_lines();
}

/* Each CPU prints to the stream of its own program. */
SEC("syscall")
__scenario(scale_own_streams)
int own_streams(void *ctx)
{
	return print_lines();
}

/* 3000 records of 16 bytes, without a reader; the scenario runs many such programs. */
SEC("syscall")
__scenario(scale_memory)
int memory_of_a_record(void *ctx)
{
	int turn;

	bpf_for(turn, 0, 3000)
		if (bpf_stream_printk(BPF_STDOUT, "sixteen bytes .\n") < 0)
			return -1;
	return 3000;
}
