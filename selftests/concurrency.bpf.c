// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Text arrives in the order it was committed; concurrent readers never see a record twice, torn or lost":
 * the scenarios run a program in several threads, read with several, or read while it prints. Every line
 * has its writer (a thread id) and its number, in 16 bytes, so that a scenario can check that every line is
 * read once, complete and in its writer's order.
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

/* One writer, with few lines. */
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

/* Each run of the program adds to the unread text. */
SEC("syscall")
__repeat(3)
int order_over_runs(void *ctx)
{
	static int runs;

	bpf_stream_printk(BPF_STDOUT, "run %d\n", runs++);
	return 0;
}

/* Four threads run the program at the same time; then the text is read and checked. */
SEC("syscall")
__scenario(several_writers)
int several_writers(void *ctx)
{
	return print_lines();
}

/* The program runs; then four threads read at the same time, 160 bytes per read. */
SEC("syscall")
__scenario(several_readers)
int several_readers(void *ctx)
{
	return print_lines();
}

/* Two threads run the program while one thread reads. */
SEC("syscall")
__scenario(read_while_writing)
int read_while_writing(void *ctx)
{
	return print_lines();
}

struct element {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct element);
} timers SEC(".maps");

/* A line begins with its writer. */
enum { MAIN_PROGRAM, CALLBACK };

#define ENOUGH 20
#define MICROSECOND 1000

static volatile int callback_lines;
static volatile bool done;

static int print_again(void *map, __u32 *key, struct element *element)
{
	bpf_stream_printk(BPF_STDOUT, "%07d %07d\n", CALLBACK, callback_lines);
	callback_lines++;
	if (!done)
		bpf_timer_start(&element->timer, 50 * MICROSECOND, 0);
	return 0;
}

/*
 * A print that is interrupted by another print to the same stream: the program prints until its timer
 * callback, which interrupts it, has printed 20 times, and so has the program. The scenario checks the
 * lines, but does not note their number, which depends on the clock.
 */
SEC("syscall") __requires(bpf_timer)
__scenario(timer_interrupts)
int interrupted(void *ctx)
{
	struct element *element;
	__u32 key = 0;
	int i, err;

	element = bpf_map_lookup_elem(&timers, &key);
	if (!element)
		return -1;
	err = bpf_timer_init(&element->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	if (!err)
		err = bpf_timer_set_callback(&element->timer, print_again);
	if (!err)
		err = bpf_timer_start(&element->timer, 50 * MICROSECOND, 0);
	if (err)
		return err;

	bpf_for(i, 0, 100 * 1000) {
		/* on a busy machine the callback can print all of its lines first */
		if (callback_lines >= ENOUGH && i >= ENOUGH)
			break;
		err = bpf_stream_printk(BPF_STDOUT, "%07d %07d\n", MAIN_PROGRAM, i);
		if (err)
			break;
	}
	done = true;
	bpf_timer_cancel(&element->timer);
	return callback_lines >= ENOUGH ? 0 : -1;
}
