// SPDX-License-Identifier: GPL-2.0-only
/*
 * "At most 512 reports lie unread in a stream. What comes after is counted, not walked or printed,
 * and the next read after it ends with one line: `... <n> further reports were suppressed`. A
 * program that faults in a loop must cost little." And: reports count towards the stream's
 * capacity, and "parallel reports never interleave".
 *
 * The scenarios note the number of reports of each kind and place instead of their text; they parse them
 * with the host's parser, which accepts only complete reports.
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

/* The scenario runs the program, reads, runs it again, and reads: all reports are counted again. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__repeat(2)
__scenario(reports)
int many_more(void *ctx)
{
	return fault_often(10 * 1000);
}

/* STRESS= sets the number of reports: up to a million */
const volatile __u32 reports;

/* Must not monopolise its CPU: the scenario checks that a thread that needs the CPU regularly gets it. */
SEC("syscall") __not_run_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(preemption)
int a_million(void *ctx)
{
	return fault_often(reports);
}

/* Text that the program prints itself is neither counted nor suppressed. */
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
 * The limit is for all kinds together. A dump that the program requests is text of the program, and not
 * counted.
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

/* In four threads at the same time. The total count equals the number of faults. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(parallel_reports)
int parallel_suppressed(void *ctx)
{
	return fault_often(1000);
}

/* As above with a concurrent reader: no report is lost or counted twice. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(reports_while_reading)
int read_meanwhile(void *ctx)
{
	return fault_often(1000);
}

/* Every report, dump and text of four threads is complete. */
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

/* 4 of 4096 bytes are left: the report of a fault does not fit, and no part of it is printed. */
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

/* Reports use up room of the 4096 bytes: a long text does not fit after them. */
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

/*
 * "With a reader attached at most 64 a second after a burst of 512": for two seconds and more, the scenario runs
 * the program while a descriptor is read as fast as possible. Printed and suppressed reports add up to the
 * faults.
 */
SEC("syscall") __not_run_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__requires(two_cpus)
__scenario(report_rate)
int followed(void *ctx)
{
	return fault_often(1000);
}

/* The count of suppressed reports is the last text of a program that is freed. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(report_rate_freed)
int suppressed_at_the_end(void *ctx)
{
	return fault_often(600);
}
