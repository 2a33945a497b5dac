// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tail call replaces the function that makes it: if it succeeds, the rest of that function does not run,
 * and the target returns to the function's caller. None of these programs may load;
 * regions_tail_calls.bpf.c has similar valid ones.
 */
#include "regions.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} programs SEC(".maps");

static __noinline int tail_call_in_static(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, 0);
	return 0;
}

SEC("tc")
int tail_call_in_function_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	tail_call_in_static(skb);
	bpf_local_irq_restore(&flags);
	return 0;
}

__noinline int save_and_tail_call(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_tail_call(skb, &programs, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc")
int tail_call_in_global_function_that_turns_irqs_off(struct __sk_buff *skb)
{
	return save_and_tail_call(skb);
}

/* --- regions that the function would begin after a tail call: the caller must not end them */

static __noinline int tail_call_and_save(struct __sk_buff *skb, unsigned long *flags)
{
	bpf_tail_call(skb, &programs, 0);
	bpf_local_irq_save(flags);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int irqs_turned_off_after_tail_call(struct __sk_buff *skb)
{
	unsigned long flags;

	tail_call_and_save(skb, &flags);
	bpf_local_irq_restore(&flags);
	return 0;
}

static __noinline int tail_call_and_lock(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, 0);
	return bpf_res_spin_lock(&lock_a);
}

SEC("tc")
int lock_taken_after_tail_call(struct __sk_buff *skb)
{
	if (tail_call_and_lock(skb))
		return 0;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

static __noinline int tail_call_and_disable(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, 0);
	bpf_preempt_disable();
	return 0;
}

SEC("tc")
int preemption_disabled_after_tail_call(struct __sk_buff *skb)
{
	tail_call_and_disable(skb);
	bpf_preempt_enable();
	return 0;
}

static __noinline int tail_call_and_enter_rcu(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, 0);
	bpf_rcu_read_lock();
	return 0;
}

SEC("tc")
int rcu_section_begun_after_tail_call(struct __sk_buff *skb)
{
	tail_call_and_enter_rcu(skb);
	bpf_rcu_read_unlock();
	return 0;
}

/* The target may return any number. */
static __noinline int tail_call_and_return_index(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, 0);
	return skb->len & 7;
}

static volatile __u8 bytes[8];

SEC("tc")
int index_returned_after_tail_call(struct __sk_buff *skb)
{
	__u64 index = tail_call_and_return_index(skb);

	barrier_var(index);
	return bytes[index];
}

/* An iterator of the caller that the function would initialise. */
static __noinline int tail_call_and_begin(struct __sk_buff *skb, struct bpf_iter_num *it)
{
	bpf_tail_call(skb, &programs, 0);
	bpf_iter_num_new(it, 0, 10);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int iterator_begun_after_tail_call(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	tail_call_and_begin(skb, &it);
	bpf_iter_num_destroy(&it);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ringbuf SEC(".maps");

static __noinline int tail_call_and_reserve(struct __sk_buff *skb, struct bpf_dynptr *record)
{
	bpf_tail_call(skb, &programs, 0);
	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, record);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the program with another message")
int record_reserved_after_tail_call(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	tail_call_and_reserve(skb, &record);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* A pointer on the caller's stack, whose slot the function would have changed. */
struct spilled {
	__u64 *value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, __u64);
} values SEC(".maps");

static __noinline int tail_call_and_spill(struct __sk_buff *skb, struct spilled *spilled)
{
	bpf_tail_call(skb, &programs, 0);
	spilled->value = bpf_map_lookup_elem(&values, &(int){ 0 });
	return 0;
}

SEC("tc")
int pointer_spilled_after_tail_call(struct __sk_buff *skb)
{
	struct spilled spilled;

	asm volatile("*(u64 *)(%[to] + 0) = %[number];" ::[to] "r"(&spilled), [number] "r"(0x1000ul)
		     : "memory");
	tail_call_and_spill(skb, &spilled);
	return spilled.value ? *spilled.value : 0;
}
