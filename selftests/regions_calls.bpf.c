// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions with interrupts off or a lock held, around callbacks, functions, extensions and exceptions: valid
 * programs, which load and run. regions_calls_rejected.bpf.c has the invalid ones.
 */
#include "regions.h"

/* --- nested callbacks */

static int inner_region(__u32 index, int *sum)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	*sum += 1;
	bpf_local_irq_restore(&flags);
	return 0;
}

static int outer_region(__u32 index, int *sum)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_loop(2, inner_region, sum, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc")
int regions_of_nested_callbacks(struct __sk_buff *skb)
{
	unsigned long flags;
	int sum = 0;

	bpf_local_irq_save(&flags);
	bpf_loop(3, outer_region, &sum, 0);
	bpf_local_irq_restore(&flags);
	return sum;
}

static int lock_inner(__u32 index, int *sum)
{
	if (bpf_res_spin_lock(&lock_b))
		return 1;
	*sum += 1;
	bpf_res_spin_unlock(&lock_b);
	return 0;
}

static int lock_outer(__u32 index, int *sum)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_loop(2, lock_inner, sum, 0);
	bpf_local_irq_restore(&flags);
	if (bpf_res_spin_lock(&lock_a))
		return 1;
	*sum += 10;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int locks_of_nested_callbacks(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_loop(3, lock_outer, &sum, 0);
	return sum;
}

static __noinline int region_of_function(int *sum)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 1;
	*sum += 1;
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

static int call_region(__u32 index, int *sum)
{
	return region_of_function(sum);
}

SEC("tc")
int region_of_function_of_callback(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_loop(3, call_region, &sum, 0);
	return sum;
}

/* One function of the callback begins the region, another one ends it. */
static __noinline void save_in_function(unsigned long *flags)
{
	bpf_local_irq_save(flags);
}

static __noinline void restore_in_function(unsigned long *flags)
{
	bpf_local_irq_restore(flags);
}

static int save_and_restore(__u32 index, int *sum)
{
	unsigned long flags;

	save_in_function(&flags);
	*sum += 1;
	restore_in_function(&flags);
	return 0;
}

SEC("tc")
int region_over_functions_of_callback(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_loop(3, save_and_restore, &sum, 0);
	return sum;
}

/* --- extensions: verified separately, and run in place of the function */

__noinline int replaceable(int value)
{
	asm volatile("" : "+r"(value));
	return value + 1;
}

SEC("syscall")
__auxiliary
int extended(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	bpf_rcu_read_lock();
	ret = replaceable(1);
	bpf_rcu_read_unlock();
	bpf_local_irq_restore(&flags);
	return ret;
}

SEC("freplace/replaceable")
__load_with(extended)
__scenario(freplace)
int extension_with_irqs_off(int value)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	value += 41;
	bpf_local_irq_restore(&flags);
	return value;
}

SEC("freplace/replaceable")
__load_with(extended)
__scenario(freplace)
int extension_that_locks(int value)
{
	if (bpf_res_spin_lock(&lock_a))
		return -1;
	value += 51;
	bpf_res_spin_unlock(&lock_a);
	return value;
}

/* An exception ends the extension, not the extended program: interrupts are on again. */
SEC("freplace/replaceable")
__load_with(extended)
__scenario(freplace)
int extension_that_throws(int value)
{
	if (value == 1)
		bpf_throw(61);
	return value;
}

/* --- exceptions */

static __noinline int throw_in_function(int x)
{
	if (x > 10)
		bpf_throw(71);
	return x;
}

SEC("tc")
int throw_after_region(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_local_irq_restore(&flags);
	if (!bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	return throw_in_function(skb->len);
}

__noinline int handle(u64 cookie)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return -1;
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return cookie + 10;
}

SEC("tc")
__attribute__((btf_decl_tag("exception_callback:handle")))
int lock_in_exception_callback(struct __sk_buff *skb)
{
	return throw_in_function(skb->len);
}
