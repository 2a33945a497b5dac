// SPDX-License-Identifier: GPL-2.0-only
/*
 * "At most 512 reports lie unread in a stream. What comes after is counted, not walked or printed,
 * and the next read after it ends with one line: `... <n> further reports were suppressed`. A
 * program that faults in a loop must cost little." And: reports count towards the stream's
 * capacity, and "parallel reports never interleave".
 *
 * The scenarios note how many reports there are of each kind and place, where the text would be
 * too long to be looked at; the parser that the host uses, too, holds that each is whole.
 */
#include "arena.h"

static __noinline int fault_often(int times)
{
	void *pointer = in_arena(PAGE(1));
	int i;

	bpf_for(i, 0, times)
		touch(pointer);
	return 0;
}

SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(reports)
int as_many_as_fit(void *ctx)
{
	return fault_often(512);
}

SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(reports)
int one_more(void *ctx)
{
	return fault_often(513);
}

/* The scenario runs the program, reads, runs it again, and reads: then reports come again. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__repeat(2)
__scenario(reports)
int many_more(void *ctx)
{
	return fault_often(10 * 1000);
}

/*
 * Takes a second or two (a test may take a minute), and does not keep its CPU from others: the
 * scenario holds that a thread that wants it now and then gets it.
 */
SEC("syscall") __not_run_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(preemption)
int a_million(void *ctx)
{
	return fault_often(1000 * 1000);
}

/* What the program prints itself is not counted, and not kept away. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(reports)
int texts_go_on(void *ctx)
{
	fault_often(600);
	bpf_stream_printk(BPF_STDERR, "a text after 600 faults\n");
	fault_often(100);
	bpf_stream_printk(BPF_STDOUT, "%s\n",
			  result(bpf_stream_printk(BPF_STDERR, "a text after 700 faults\n")));
	return 0;
}

/*
 * Of all kinds together. A dump that the program asks for is a text of its own, and not among
 * them.
 */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(reports)
int kinds(void *ctx)
{
	int i;

	fault_often(300);
	for (;;)
		may_goto(out);
out:
	bpf_for(i, 0, 10)
		bpf_stream_print_stack(BPF_STDERR);
	fault_often(300);
	return 0;
}

/* In four threads at the same time. All that are counted together are what was made. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(parallel_reports)
int parallel_suppressed(void *ctx)
{
	return fault_often(1000);
}

/* The same while somebody reads: none is lost or counted twice. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(reports_while_reading)
int read_meanwhile(void *ctx)
{
	return fault_often(1000);
}

/* Each report, dump and text of four threads is whole. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(parallel_reports)
int parallel(void *ctx)
{
	void *pointer = in_arena(PAGE(2));
	int i;

	bpf_for(i, 0, 50) {
		touch(pointer);
		bpf_stream_print_stack(BPF_STDERR);
		bpf_stream_printk(BPF_STDERR, "a text of %d\n", i);
	}
	return 0;
}

/* Of 4096 bytes, 4 are left: the report of a fault does not fit and is not printed in part. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(limit_4096)
int full(void *ctx)
{
	static const char text[] = TEXT_1000 "and twenty-three bytes\n";
	int i;

	bpf_for(i, 0, 4)
		bpf_stream_vprintk(BPF_STDERR, text, NULL, 0);
	fault_often(1);
	bpf_stream_printk(BPF_STDOUT, "after a fault, 4 bytes: %s\n",
			  result(bpf_stream_printk(BPF_STDERR, "end\n")));
	return 0;
}

/* Reports take their part of 4096 bytes: behind them, a long text does not fit. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(reports_limit_4096)
int fills(void *ctx)
{
	static const char text[] = TEXT_1000 "and twenty-three bytes\n";

	fault_often(100);
	bpf_stream_printk(BPF_STDOUT, "after 100 faults, 1023 bytes: %s\n",
			  result(bpf_stream_vprintk(BPF_STDERR, text, NULL, 0)));
	return 0;
}
