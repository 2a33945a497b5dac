// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tail call replaces the function that makes it: if it succeeds, the rest of that function does not run,
 * and the target returns to the function's caller. These programs load and run;
 * regions_tail_calls_rejected.bpf.c has the invalid ones.
 */
#include "regions.h"

SEC("tc")
__auxiliary
int target(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret = 40;

	bpf_local_irq_save(&flags);
	ret++;
	bpf_local_irq_restore(&flags);
	return ret;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} targets SEC(".maps") = {
	.values = { [0] = (void *)&target },
};

SEC("tc")
__load_with(target)
int tail_call_after_region(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_local_irq_restore(&flags);
	bpf_tail_call(skb, &targets, 0);
	return -1;
}

/* The target replaces the function, and returns to the program, which turns interrupts on. */
__noinline int tail_call_in_global(struct __sk_buff *skb)
{
	int ret = -1;

	bpf_tail_call(skb, &targets, 0);
	/* for the compiler it always returns here */
	barrier_var(ret);
	return ret;
}

SEC("tc")
__load_with(target)
int tail_call_in_global_function_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = tail_call_in_global(skb);
	bpf_local_irq_restore(&flags);
	return ret + 1;
}

/* A static function that changes its caller's regions before the tail call. */
static __noinline int restore_and_tail_call(struct __sk_buff *skb, unsigned long *flags)
{
	int ret = -1;

	bpf_local_irq_restore(flags);
	bpf_tail_call(skb, &targets, 0);
	barrier_var(ret);
	return ret;
}

SEC("tc")
__load_with(target)
int tail_call_in_function_after_region(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = restore_and_tail_call(skb, &flags);
	return ret + 2;
}
