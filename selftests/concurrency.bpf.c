// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Text arrives in the order it was committed; concurrent readers never see a record twice, torn or
 * lost": the scenarios run a program in several threads, read with several, or read while it
 * prints. Every line names its writer (the thread's id) and its number with that writer, in 16
 * bytes, so a scenario can tell whether each is there once, whole, and in its writer's order.
 */
#include "selftest.h"

#define LINES 500

static __noinline int print_lines(void)
{
	int i, err, tid = (__u32)bpf_get_current_pid_tgid();

	bpf_for(i, 0, LINES) {
		err = bpf_stream_printk(BPF_STDOUT, "%07d %07d\n", tid, i);
		if (err)
			return err;
	}
	return 0;
}

/* One writer, short enough to be looked at. */
SEC("syscall")
int order(void *ctx)
{
	int i;

	bpf_for(i, 0, 20) {
		bpf_stream_printk(BPF_STDOUT, "stdout %d\n", i);
		bpf_stream_printk(BPF_STDERR, "stderr %d\n", i);
	}
	return 0;
}

/* Each run of the program adds to what is unread. */
SEC("syscall")
__run(3)
int order_over_runs(void *ctx)
{
	static int runs;

	bpf_stream_printk(BPF_STDOUT, "run %d\n", runs++);
	return 0;
}

/* Four threads run the program at the same time; when they are done, the text is read and checked. */
SEC("syscall")
__scenario(several_writers)
int several_writers(void *ctx)
{
	return print_lines();
}

/* The program runs; then four threads read at the same time, 160 bytes at once. */
SEC("syscall")
__scenario(several_readers)
int several_readers(void *ctx)
{
	return print_lines();
}

/* Two threads run the program while one reads. */
SEC("syscall")
__scenario(read_while_writing)
int read_while_writing(void *ctx)
{
	return print_lines();
}
