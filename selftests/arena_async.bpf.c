// SPDX-License-Identifier: GPL-2.0-only
/*
 * "The report lands in the stream of the closest BPF program on the stack; from a timer callback too", and
 * from every other context in which programs run.
 */
#include "arena.h"
#include "workqueue.h"

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

#define MILLISECOND 1000000

struct timer_element {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timer_element);
} timers SEC(".maps");

static volatile bool done;

static int expired(void *map, __u32 *key, struct timer_element *element)
{
	void *pointer = in_arena(PAGE(1));

	bpf_stream_printk(BPF_STDOUT, "in %s context\n", context());
	touch(pointer);
	done = true;
	return 0;
}

/*
 * Starts the timer and stays on its CPU until the timer has interrupted it, so that the report names this
 * process. On one source line of the caller, wherever the interrupt hits.
 */
#define start_and_wait(timer)									\
	({											\
		bpf_preempt_disable();								\
		err = bpf_timer_start(timer, 10 * MILLISECOND, 2 /* BPF_F_TIMER_CPU_PIN */);	\
		while (!err && !done)								\
			may_goto(out);								\
out:												\
		bpf_preempt_enable();								\
	})

SEC("syscall") __requires(bpf_timer) __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int timer_callback(void *ctx)
{
	struct timer_element *element;
	__u32 key = 0;
	int err;

	element = bpf_map_lookup_elem(&timers, &key);
	if (!element)
		return -1;
	err = bpf_timer_init(&element->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	if (!err)
		err = bpf_timer_set_callback(&element->timer, expired);
	if (err)
		return err;
	start_and_wait(&element->timer);
	return done ? 0 : -1;
}

struct work_element {
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct work_element);
} works SEC(".maps");

static int work(void *map, int *key, void *value)
{
	void *pointer = in_arena(PAGE(1));

	touch(pointer);
	bpf_stream_printk(BPF_STDOUT, "work done\n");
	return 0;
}

SEC("syscall") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
__wait_stdout(10)
int work_callback(void *ctx)
{
	struct work_element *element;
	int err, key = 0;

	element = bpf_map_lookup_elem(&works, &key);
	if (!element)
		return -1;
	err = bpf_wq_init(&element->work, &works, 0);
	if (!err)
		err = bpf_wq_set_callback(&element->work, work, 0);
	if (!err)
		err = bpf_wq_start(&element->work, 0);
	return err;
}

static struct bpf_spin_lock lock SEC(".data.lock");

/* Interrupts are off while a lock is held. */
SEC("tc") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int under_spin_lock(struct __sk_buff *skb)
{
	void *pointer = in_arena(PAGE(1));

	bpf_spin_lock(&lock);
	touch(pointer);
	bpf_spin_unlock(&lock);
	return 0;
}

static __u32 seen;

/*
 * The process that the timer interrupts is unknown, so the scenario only counts the reports by
 * kind.
 */
SEC("tp_btf/hrtimer_expire_entry") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
__scenario(reports)
__wait_stdout(11)
int BPF_PROG(hardirq, struct hrtimer *timer, ktime_t *now)
{
	void *pointer = in_arena(PAGE(1));

	if (!is_in_hardirq() || __sync_lock_test_and_set(&seen, 1))
		return 0;
	touch(pointer);
	bpf_stream_printk(BPF_STDOUT, "in %s\n", context());
	return 0;
}

/* The scenario makes the host inject an NMI, and counts the reports. */
SEC("tp_btf/nmi_handler") __not_in_mainline("it names the line before the faulting one, where a line begins with the fault")
__requires(injected_nmi)
__scenario(nmi_reports)
int BPF_PROG(nmi, void *handler, s64 delta_ns, int handled)
{
	void *pointer = in_arena(PAGE(1));

	if (seen)
		return 0;
	seen = 1;
	touch(pointer);
	bpf_stream_printk(BPF_STDOUT, "in %s\n", context());
	return 0;
}

/* As in contexts.bpf.c, on an overflow of the cycle counter. */
SEC("perf_event")
__requires(cycle_counter)
__scenario(cycle_counter_reports)
int cycle_counter(struct bpf_perf_event_data *ctx)
{
	void *pointer = in_arena(PAGE(1));

	if (seen)
		return 0;
	seen = 1;
	touch(pointer);
	bpf_stream_printk(BPF_STDOUT, "in %s\n", context());
	return 0;
}
