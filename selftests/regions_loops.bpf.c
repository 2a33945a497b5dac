// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks and interrupt flags in loops: the state at the end of an iteration equals that at its beginning.
 * regions_loops_rejected.bpf.c has loops where it does not.
 */
#include "regions.h"

SEC("tc")
int lock_in_each_turn(struct __sk_buff *skb)
{
	int i, turns = 0;

	bpf_for(i, 0, 5) {
		if (bpf_res_spin_lock(&lock_a))
			break;
		turns++;
		bpf_res_spin_unlock(&lock_a);
	}
	return turns;
}

SEC("tc")
int lock_around_loop(struct __sk_buff *skb)
{
	int i, turns = 0;

	if (bpf_res_spin_lock(&lock_a))
		return -1;
	bpf_for(i, 0, 5)
		turns++;
	bpf_res_spin_unlock(&lock_a);
	return turns;
}

/* The outer lock is held over all iterations, the inner one in each. */
SEC("tc")
int lock_in_each_turn_under_lock(struct __sk_buff *skb)
{
	int i, turns = 0;

	if (bpf_res_spin_lock(&lock_a))
		return -1;
	bpf_for(i, 0, 5) {
		if (bpf_res_spin_lock(&lock_b))
			break;
		turns++;
		bpf_res_spin_unlock(&lock_b);
	}
	bpf_res_spin_unlock(&lock_a);
	return turns;
}

/* The lock is held at the end of each iteration and at the beginning of the next. */
SEC("tc")
int lock_released_and_taken_in_each_turn(struct __sk_buff *skb)
{
	int i, turns = 0;

	if (bpf_res_spin_lock(&lock_a))
		return -1;
	bpf_for(i, 0, 5) {
		bpf_res_spin_unlock(&lock_a);
		turns++;
		if (bpf_res_spin_lock(&lock_a))
			return -2;
	}
	bpf_res_spin_unlock(&lock_a);
	return turns;
}

SEC("tc")
int irqs_off_in_each_turn(struct __sk_buff *skb)
{
	unsigned long flags;
	int i, turns = 0;

	bpf_for(i, 0, 5) {
		bpf_local_irq_save(&flags);
		turns++;
		bpf_local_irq_restore(&flags);
	}
	return turns;
}

SEC("tc")
int irqs_off_around_loop(struct __sk_buff *skb)
{
	unsigned long flags, inner;
	int i, turns = 0;

	bpf_local_irq_save(&flags);
	bpf_for(i, 0, 5) {
		bpf_local_irq_save(&inner);
		turns++;
		bpf_local_irq_restore(&inner);
	}
	bpf_local_irq_restore(&flags);
	return turns;
}

SEC("tc")
int irqs_off_handed_on(struct __sk_buff *skb)
{
	unsigned long flags;
	int i, turns = 0;

	bpf_local_irq_save(&flags);
	bpf_for(i, 0, 5) {
		bpf_local_irq_restore(&flags);
		turns++;
		bpf_local_irq_save(&flags);
	}
	bpf_local_irq_restore(&flags);
	return turns;
}

SEC("tc")
int irqsave_in_each_turn(struct __sk_buff *skb)
{
	unsigned long flags;
	int i, turns = 0;

	bpf_for(i, 0, 5) {
		if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
			break;
		turns++;
		bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	}
	return turns;
}

/* --- may_goto */

SEC("tc")
int may_goto_with_lock_in_each_turn(struct __sk_buff *skb)
{
	int turns = 0;

	for (;;) {
		may_goto(out);
		if (turns >= 5 || bpf_res_spin_lock(&lock_a))
			break;
		turns++;
		bpf_res_spin_unlock(&lock_a);
	}
out:
	return turns;
}

/* The lock is held wherever the loop ends. */
SEC("tc")
int may_goto_with_lock_around(struct __sk_buff *skb)
{
	int turns = 0;

	if (bpf_res_spin_lock(&lock_a))
		return -1;
	for (;;) {
		may_goto(out);
		if (turns >= 5)
			break;
		turns++;
	}
out:
	bpf_res_spin_unlock(&lock_a);
	return turns;
}

SEC("tc")
int may_goto_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags, inner;
	int turns = 0;

	bpf_local_irq_save(&flags);
	for (;;) {
		may_goto(out);
		if (turns >= 5)
			break;
		bpf_local_irq_save(&inner);
		turns++;
		bpf_local_irq_restore(&inner);
	}
out:
	bpf_local_irq_restore(&flags);
	return turns;
}
