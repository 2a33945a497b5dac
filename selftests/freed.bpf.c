// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program may still run on another CPU after its last reference is dropped. A fault in that time must be
 * handled and reported as usual, and never to another program.
 *
 * The scenario loads the program, makes it run on one CPU, and removes it on another CPU during the run,
 * repeatedly for a second or for STRESS seconds. A program counts its runs, so that the scenario can tell
 * that one was in progress after the last reference was dropped.
 */
#include "arena.h"
#include "workqueue.h"
#include <bpf/bpf_core_read.h>

#define WHY "it frees programs that run, or takes their symbols away, and may die of it"

struct counts {
	__u64 begun;
	__u64 ended;
};

/* Read by the scenario, which keeps this map after the program is freed. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counts SEC(".maps");

/*
 * Duration of a run without its faults: longer than removing the program takes, and longer than a grace
 * period unless the run holds that up.
 */
#define RUN (50 * 1000 * 1000ULL)

static __always_inline struct counts *begin(void)
{
	__u64 begun = bpf_ktime_get_ns();
	struct counts *count;
	__u32 key = 0;
	int i;

	count = bpf_map_lookup_elem(&counts, &key);
	if (!count)
		return NULL;
	__sync_fetch_and_add(&count->begun, 1);
	bpf_for(i, 0, 1 << 23)
		if (bpf_ktime_get_ns() - begun > RUN)
			break;
	return count;
}

static __always_inline void end(struct counts *count)
{
	__sync_fetch_and_add(&count->ended, 1);
}

/* A subprogram, with its own symbol and exception table. */
static __noinline int fault_in_subprogram(void)
{
	/* never mapped: the value of an error pointer */
	struct task_struct *nowhere = bpf_core_cast((void *)-8UL, struct task_struct);
	void *pointer = in_arena(PAGE(2));
	__u64 value;

	asm volatile("%[value] = *(u64 *)(%[at] + 0)"
		     : [value] "=r"(value)
		     : [at] "r"(pointer)
		     : "memory");
	return value + nowhere->pid;
}

static __always_inline int run_and_fault(void)
{
	struct counts *count = begin();
	void *pointer = in_arena(PAGE(1));
	int zero;

	if (!count)
		return 0;
	touch(pointer);
	zero = fault_in_subprogram();
	end(count);
	return zero;
}

/* --- removed with its attachment */

SEC("cgroup_skb/egress") __not_run_in_mainline(WHY)
__requires(two_cpus)
__scenario(free_running_cgroup)
int cgroup_egress(struct __sk_buff *skb)
{
	run_and_fault();
	return 1;
}

/* The loopback device supports only generic XDP. */
SEC("xdp") __not_run_in_mainline(WHY)
__requires(two_cpus)
__scenario(free_running_xdp)
int xdp_generic(struct xdp_md *ctx)
{
	run_and_fault();
	return XDP_PASS;
}

/* Stays attached to the function, so that its trampoline is changed and not freed. */
SEC("fentry/security_task_getpgid")
__auxiliary
int BPF_PROG(fentry_stays)
{
	bpf_stream_printk(BPF_STDOUT, "%s", "");
	return 0;
}

SEC("fentry/security_task_getpgid") __not_run_in_mainline(WHY)
__requires(two_cpus)
__load_with(fentry_stays)
__scenario(free_running_attached)
int BPF_PROG(fentry)
{
	run_and_fault();
	return 0;
}

SEC("fexit/security_task_getpgid") __not_run_in_mainline(WHY)
__requires(two_cpus)
__load_with(fentry_stays)
__scenario(free_running_attached)
int BPF_PROG(fexit)
{
	run_and_fault();
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid") __not_run_in_mainline(WHY)
__requires(two_cpus)
__scenario(free_running_attached)
int tracepoint(void *ctx)
{
	run_and_fault();
	return 0;
}

/* --- removed with its entry in a prog array */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} targets SEC(".maps");

/* Not a constant index: the kernel waits for runs when it changes a direct jump. */
static volatile __u32 first;

static __noinline int call_target(struct __sk_buff *skb)
{
	int ret = 0;

	bpf_tail_call(skb, &targets, first);
	asm volatile("" : "+r"(ret));
	return ret;
}

/* On the stack below the program that it calls, with a stderr of its own that must stay empty. */
SEC("tc")
__auxiliary
int caller(struct __sk_buff *skb)
{
	bpf_stream_printk(BPF_STDOUT, "%s", "");
	return call_target(skb);
}

SEC("tc") __not_run_in_mainline(WHY)
__requires(two_cpus)
__load_with(caller)
__scenario(free_running_prog_array)
int entry(struct __sk_buff *skb)
{
	run_and_fault();
	return 0;
}

struct locked {
	struct bpf_res_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} locks SEC(".maps");

/* A report whose program is searched on the stack. To the verifier these are two locks. */
SEC("tc") __not_run_in_mainline(WHY)
__requires(two_cpus)
__load_with(caller)
__scenario(free_running_prog_array)
int entry_deadlocks(struct __sk_buff *skb)
{
	struct counts *count = begin();
	struct locked *one, *same;
	__u32 key = 0;

	one = bpf_map_lookup_elem(&locks, &key);
	same = bpf_map_lookup_elem(&locks, &key);
	if (!count || !one || !same)
		return 0;
	if (!bpf_res_spin_lock(&one->lock)) {
		if (!bpf_res_spin_lock(&same->lock))
			bpf_res_spin_unlock(&same->lock);
		bpf_res_spin_unlock(&one->lock);
	}
	end(count);
	return 0;
}

extern void bpf_throw(__u64 cookie) __weak __ksym;

/* An exception also searches the stack for its program. */
static __noinline int throw(struct counts *count)
{
	end(count);
	if (count->ended)
		bpf_throw(0);
	return 0;
}

SEC("tc") __not_run_in_mainline(WHY)
__requires(two_cpus)
__load_with(caller)
__scenario(free_running_prog_array_silent)
int entry_throws(struct __sk_buff *skb)
{
	struct counts *count = begin();

	return count ? throw(count) : 0;
}

/* --- removed with the map of its callback */

struct timer {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timer);
} timers SEC(".maps");

static int expired(void *map, __u32 *key, struct timer *timer)
{
	run_and_fault();
	bpf_timer_start(&timer->timer, 0, 0);
	return 0;
}

SEC("tc") __requires(bpf_timer) __not_run_in_mainline(WHY)
__requires(two_cpus)
__scenario(free_running_timer)
int timer_callback(struct __sk_buff *skb)
{
	struct timer *timer;
	__u32 key = 0;
	int err;

	timer = bpf_map_lookup_elem(&timers, &key);
	if (!timer)
		return -1;
	err = bpf_timer_init(&timer->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	if (!err)
		err = bpf_timer_set_callback(&timer->timer, expired);
	if (!err)
		err = bpf_timer_start(&timer->timer, 0, 0);
	return err;
}

struct work {
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} works SEC(".maps");

/* Much longer than a grace period, which it does not hold up: it may sleep, unlike the program. */
static int work(void *map, int *key, void *value)
{
	struct work *self = value;

	run_and_fault();
	bpf_wq_start(&self->work, 0);
	return 0;
}

SEC("tc") __not_run_in_mainline(WHY)
__requires(two_cpus)
__scenario(free_running_wq)
int wq_callback(struct __sk_buff *skb)
{
	struct work *element;
	__u32 key = 0;
	int err;

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
