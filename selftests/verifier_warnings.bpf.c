// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rejected for an error of the program: the verifier must neither warn on the console nor report an
 * internal error.
 */
#include "released.h"

/* Not a reference, and not even a task at that offset. */
SEC("syscall") __not_in_mainline("its verifier rejects the program with another message")
int task_released_at_offset(void *ctx)
{
	bpf_task_release((void *)bpf_get_current_task_btf() + 8);
	return 0;
}

/* A timer callback with a tail call, in unreachable code. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} programs SEC(".maps");

static int expired(void *map, __u32 *key, struct timed *timed)
{
	asm volatile("r0 = 0;"
		     "if r0 == 0 goto 1f;"
		     "r1 = 0;"
		     "r2 = 0;"
		     "r3 = 0;"
		     "call %[tail_call];"
		     "1:"
		     :
		     : [tail_call] "i"(bpf_tail_call)
		     : "r0", "r1", "r2", "r3", "r4", "r5");
	return 0;
}

SEC("tc") __requires(bpf_timer) __not_in_mainline("it allows tail calls in asynchronous callbacks")
int tail_call_in_timer(struct __sk_buff *skb)
{
	struct timed *timed = timed_element();

	if (timed)
		bpf_timer_set_callback(&timed->timer, expired);
	return 0;
}

/* Tail calls in callbacks and below: on x86-64 the count of tail calls is garbage there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} elements SEC(".maps");

struct passed {
	struct __sk_buff *skb;
};

static long exits(void *map, __u32 *key, __u64 *value, struct passed *passed)
{
	bpf_tail_call(passed->skb, &programs, 0);
	return 0;
}

SEC("tc") __not_run_in_mainline("a tail call in a callback may crash it")
int tail_call_in_callback(struct __sk_buff *skb)
{
	struct passed passed = { skb };

	bpf_for_each_map_elem(&elements, exits, &passed, 0);
	return 0;
}

static __noinline int calls_tail(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, 0);
	return 0;
}

static long exits_below(void *map, __u32 *key, __u64 *value, struct passed *passed)
{
	calls_tail(passed->skb);
	return 0;
}

SEC("tc") __not_run_in_mainline("a tail call in a callback may crash it")
int tail_call_below_callback(struct __sk_buff *skb)
{
	struct passed passed = { skb };

	bpf_for_each_map_elem(&elements, exits_below, &passed, 0);
	return 0;
}

__noinline int global_tail(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, 0);
	return 0;
}

static long exits_in_global(void *map, __u32 *key, __u64 *value, struct passed *passed)
{
	global_tail(passed->skb);
	return 0;
}

SEC("tc") __not_run_in_mainline("a tail call in a callback may crash it")
int tail_call_in_global_function_below_callback(struct __sk_buff *skb)
{
	struct passed passed = { skb };

	bpf_for_each_map_elem(&elements, exits_in_global, &passed, 0);
	return 0;
}
