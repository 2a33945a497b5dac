// SPDX-License-Identifier: GPL-2.0-only
/*
 * All kinds of writers and readers at once: prints from processes, timers and a tracing program on every
 * CPU, readers, other programs that are loaded and freed, and a limit that changes all the time. Accepted
 * lines are read exactly once, and refused lines are counted.
 *
 * Every line has its writer and its number, in 16 bytes. A writer is never in two contexts at once, so its
 * counter needs no atomics; a number is used again if its line was refused.
 */
#include "selftest.h"

/* The maximum number of CPUs (NR_CPUS in base.config). */
#define CPUS 8

/* The kinds of writers; each has one writer per CPU, whose number is added. */
enum { PROCESS = 0, TIMER = CPUS, TRACING = 2 * CPUS, WRITERS = 3 * CPUS };

/* Request of the scenario (guest/src/scenario/stress/command.rs). */
enum { PRINT, START_TIMER, STOP_TIMERS, TELL };

struct order {
	__u32 what;
	__u32 writer; /* of PRINT and TELL */
	/* set by TELL */
	__u32 tried;
	__u32 accepted;
	__u32 refused;
};

struct writer {
	__u32 tried;
	__u32 accepted;
	__u32 refused;
};

/* A power of two above the number of writers: the verifier sees the bounds of a masked index. */
static struct writer writers[32];

/* Numbers have seven digits. */
#define MOST (10 * 1000 * 1000)

static __noinline int print_line(__u32 writer)
{
	struct writer *self = &writers[writer & 31];
	int err;

	if (self->accepted >= MOST)
		return 0;
	self->tried++;
	err = bpf_stream_printk(BPF_STDOUT, "%07d %07d\n", writer, self->accepted);
	if (!err)
		self->accepted++;
	else if (err == -28 /* ENOSPC */ || err == -12 /* ENOMEM */ || err == -16 /* EBUSY */)
		self->refused++;
	return err;
}

struct element {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CPUS);
	__type(key, __u32);
	__type(value, struct element);
} timers SEC(".maps");

static volatile bool stopped;

#define MICROSECOND 1000

static int expired(void *map, __u32 *key, struct element *element)
{
	int i;

	bpf_for(i, 0, 4)
		print_line(TIMER + *key);
	if (!stopped)
		bpf_timer_start(&element->timer, 200 * MICROSECOND, BPF_F_TIMER_CPU_PIN);
	return 0;
}

static int start_timer(void)
{
	__u32 key = bpf_get_smp_processor_id();
	struct element *element;
	int err;

	element = bpf_map_lookup_elem(&timers, &key);
	if (!element)
		return -1;
	err = bpf_timer_init(&element->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	if (!err)
		err = bpf_timer_set_callback(&element->timer, expired);
	if (!err)
		err = bpf_timer_start(&element->timer, 0, BPF_F_TIMER_CPU_PIN);
	return err;
}

static int stop_timers(void)
{
	struct element *element;
	__u32 key;
	int i;

	stopped = true;
	bpf_for(i, 0, CPUS) {
		key = i;
		element = bpf_map_lookup_elem(&timers, &key);
		if (element)
			bpf_timer_cancel(&element->timer);
	}
	return 0;
}

static __noinline int carry_out(struct order *order)
{
	struct writer *writer = &writers[order->writer & 31];
	int i;

	switch (order->what) {
	case PRINT:
		bpf_for(i, 0, 64)
			print_line(order->writer);
		return 0;
	case START_TIMER:
		return start_timer();
	case STOP_TIMERS:
		return stop_timers();
	case TELL:
		order->tried = writer->tried;
		order->accepted = writer->accepted;
		order->refused = writer->refused;
		return 0;
	}
	return -1;
}

/* Runs with a runqueue lock held and IRQs off, at every task switch of a CPU. */
SEC("tp_btf/sched_switch")
__auxiliary
int tracing(void *ctx)
{
	if (!stopped)
		print_line(TRACING + bpf_get_smp_processor_id());
	return 0;
}

/* A program that is loaded, run and freed repeatedly; its text is not read. */
SEC("syscall")
__auxiliary
int passing(void *ctx)
{
	int i;

	bpf_for(i, 0, 64)
		print_to_both("in passing");
	return 0;
}

/* The scenario takes a second, or STRESS seconds. */
SEC("syscall") __requires(bpf_timer) __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__load_with(tracing)
__load_with(passing)
__scenario(stress)
int stress(struct order *order)
{
	return carry_out(order);
}

/* As above, with a third of the atomic allocations failing. */
SEC("syscall")
__requires(fault_injection)
__load_with(tracing)
__load_with(passing)
__scenario(stress_alloc_failures)
int stress_without_memory(struct order *order)
{
	return carry_out(order);
}
