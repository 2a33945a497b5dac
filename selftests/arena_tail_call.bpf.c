// SPDX-License-Identifier: GPL-2.0-only
/*
 * "The report lands in the stream of the closest BPF program on the stack": the target of a tail call is a
 * program of its own. The scenario notes its streams.
 */
#include "arena.h"

SEC("tc")
__auxiliary
int target(struct __sk_buff *skb)
{
	void *pointer = in_arena(PAGE(1));

	touch(pointer);
	return 42;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} targets SEC(".maps") = {
	.values = { [0] = (void *)&target },
};

/* The target replaces this program on the stack. */
SEC("tc") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
__load_with(target)
__scenario(other_progs)
int tail_call(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &targets, 0);
	return -1; /* the target was not reached */
}

/* The target replaces only the subprogram: this program is also on the stack. */
static __noinline int go_to_target(struct __sk_buff *skb)
{
	int ret = -1; /* the target was not reached */

	bpf_tail_call(skb, &targets, 0);
	/* hide the return value of the target from the compiler */
	asm volatile("" : "+r"(ret));
	return ret;
}

SEC("tc") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
__load_with(target)
__scenario(other_progs)
int tail_call_in_subprogram(struct __sk_buff *skb)
{
	void *pointer = in_arena(PAGE(2));
	int ret = go_to_target(skb);

	pass(ret);
	touch(pointer);
	return ret;
}
