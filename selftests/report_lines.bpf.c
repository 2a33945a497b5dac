// SPDX-License-Identifier: GPL-2.0-only
/*
 * "A report starts at the beginning of a line, also when the program's last print to stderr did not end with
 * a newline": readers look for lines that begin with "ERROR: ". There is no other empty line.
 */
#include "arena.h"

static __noinline int fault(void)
{
	touch(in_arena(PAGE(1)));
	return 0;
}

/* Run number; a scenario with several runs reads between them. */
static int runs;

SEC("syscall") __not_in_mainline("its reports begin wherever the program's last text ends")
int after_half_a_line(void *ctx)
{
	bpf_stream_printk(BPF_STDERR, "half a line");
	return fault();
}

/* The text without a newline has been read when the report is written. */
SEC("syscall") __not_in_mainline("its reports begin wherever the program's last text ends")
__repeat(2)
__scenario(read_each_run)
int after_half_a_line_that_was_read(void *ctx)
{
	if (!runs++)
		return bpf_stream_printk(BPF_STDERR, "half a line");
	return fault();
}

/* One newline for all reports, as each of them ends with one. */
SEC("syscall") __not_in_mainline("its reports begin wherever the program's last text ends")
int several_after_half_a_line(void *ctx)
{
	bpf_stream_printk(BPF_STDERR, "half a line");
	fault();
	fault();
	return fault();
}

SEC("syscall") __not_in_mainline("its reports begin wherever the program's last text ends")
int half_lines_between(void *ctx)
{
	bpf_stream_printk(BPF_STDERR, "half a %s", "line");
	fault();
	bpf_stream_printk(BPF_STDERR, "the next ");
	bpf_stream_printk(BPF_STDERR, "half");
	fault();
	bpf_stream_printk(BPF_STDERR, "the end without a newline");
	return 0;
}

SEC("syscall")
int after_whole_lines(void *ctx)
{
	fault();
	bpf_stream_printk(BPF_STDERR, "a whole line\n");
	fault();
	bpf_stream_printk(BPF_STDERR, "half a line");
	bpf_stream_printk(BPF_STDERR, ", and the other half\n");
	fault();
	bpf_stream_printk(BPF_STDERR, "\n");
	return fault();
}

SEC("syscall")
__repeat(3)
__scenario(read_each_run)
int after_a_whole_line_that_was_read(void *ctx)
{
	if (!runs++)
		return bpf_stream_printk(BPF_STDERR, "a whole line\n");
	return fault();
}

/* A part of the line was read, and its rest, which ends it, was not. */
SEC("syscall")
__repeat(2)
__scenario(read_part_each_run)
int after_a_part_of_a_line_that_was_read(void *ctx)
{
	if (!runs++)
		return bpf_stream_printk(BPF_STDERR, "a whole line\n");
	return fault();
}

/*
 * Empty texts and prints that fail end no line and begin none. 996 of 4096 bytes are free, and a report needs
 * less.
 */
SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(limit_4096)
int after_refused_half_lines(void *ctx)
{
	int i;

	bpf_for(i, 0, 3)
		bpf_stream_printk(BPF_STDERR, TEXT_1000);
	bpf_stream_printk(BPF_STDERR, TEXT_100);
	bpf_stream_printk(BPF_STDOUT, "1011 bytes: %s\n",
			  result(bpf_stream_printk(BPF_STDERR, TEXT_1000 "half a line")));
	bpf_stream_printk(BPF_STDERR, "%z", 1);
	bpf_stream_printk(BPF_STDERR, "");
	return fault();
}

SEC("syscall") __not_in_mainline("its reports begin wherever the program's last text ends")
int after_refused_ends_of_lines(void *ctx)
{
	bpf_stream_printk(BPF_STDERR, "half a line");
	bpf_stream_printk(BPF_STDERR, "%z\n", 1);
	bpf_stream_printk(BPF_STDERR, "%01024d\n", 1);
	bpf_stream_printk(BPF_STDERR, "");
	return fault();
}

/* The count of suppressed reports is a line of its own, too. */
SEC("syscall") __not_in_mainline("it suppresses no reports; those that do not fit are lost without a word")
__scenario(reports)
int count_after_half_a_line(void *ctx)
{
	int i;

	bpf_for(i, 0, 600)
		fault();
	bpf_stream_printk(BPF_STDERR, "half a line");
	return 0;
}

/* Stdout has lines of its own. */
SEC("syscall")
int stdout_is_another_stream(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "half a line");
	return fault();
}

/* Other kinds of reports. */
SEC("syscall") __not_in_mainline("its reports begin wherever the program's last text ends")
int time_out(void *ctx)
{
	bpf_stream_printk(BPF_STDERR, "half a line");
	for (;;)
		may_goto(out);
out:
	return 0;
}

struct element {
	struct bpf_res_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct element);
} elements SEC(".maps");

SEC("syscall") __not_in_mainline("its reports begin wherever the program's last text ends")
int deadlock(void *ctx)
{
	struct element *one, *same;
	int key = 0;

	one = bpf_map_lookup_elem(&elements, &key);
	same = bpf_map_lookup_elem(&elements, &key);
	if (!one || !same)
		return -1;
	bpf_stream_printk(BPF_STDERR, "half a line");
	if (bpf_res_spin_lock(&one->lock))
		return -2;
	if (!bpf_res_spin_lock(&same->lock))
		bpf_res_spin_unlock(&same->lock);
	bpf_res_spin_unlock(&one->lock);
	return 0;
}

/* Two threads print half lines and fault: the scenario looks at the beginning of each report. */
SEC("syscall") __not_in_mainline("its reports begin wherever the program's last text ends")
__requires(two_cpus)
__scenario(report_lines)
int parallel(void *ctx)
{
	int i;

	bpf_for(i, 0, 100) {
		bpf_stream_printk(BPF_STDERR, "half");
		fault();
	}
	return 0;
}
