// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks and interrupt flags over the back edge of a loop: the held state of these programs changes with
 * every iteration. None may load. regions_loops.bpf.c has valid loops.
 */
#include "regions.h"

SEC("tc")
int lock_taken_in_each_turn(struct __sk_buff *skb)
{
	int i;

	bpf_for(i, 0, 5)
		if (bpf_res_spin_lock(&lock_a))
			return 0;
	return 0;
}

SEC("tc")
int lock_released_in_each_turn(struct __sk_buff *skb)
{
	int i;

	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_for(i, 0, 5)
		bpf_res_spin_unlock(&lock_a);
	return 0;
}

/* Acquired in one iteration, released in the next: right for every even number of iterations. */
SEC("tc")
int lock_held_every_other_turn(struct __sk_buff *skb)
{
	int i, held = 0;

	bpf_for(i, 0, (int)skb->len) {
		if (!held) {
			if (bpf_res_spin_lock(&lock_a))
				return 0;
			held = 1;
		} else {
			bpf_res_spin_unlock(&lock_a);
			held = 0;
		}
	}
	return 0;
}

/* The lock at the end of an iteration is not the one at its beginning. */
SEC("tc")
int other_lock_after_each_turn(struct __sk_buff *skb)
{
	int i;

	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_for(i, 0, 5) {
		bpf_res_spin_unlock(&lock_a);
		if (bpf_res_spin_lock(&lock_b))
			return 0;
	}
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int lock_left_by_break(struct __sk_buff *skb)
{
	int i;

	bpf_for(i, 0, 5) {
		if (bpf_res_spin_lock(&lock_a))
			break;
		if (skb->len > 100)
			break;
		bpf_res_spin_unlock(&lock_a);
	}
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int irqs_off_in_each_turn(struct __sk_buff *skb)
{
	unsigned long flags;
	int i;

	bpf_for(i, 0, 5)
		bpf_local_irq_save(&flags);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc")
int irqs_on_in_each_turn(struct __sk_buff *skb)
{
	unsigned long flags;
	int i;

	bpf_local_irq_save(&flags);
	bpf_for(i, 0, 5)
		bpf_local_irq_restore(&flags);
	return 0;
}

/* The flags move from slot to slot. */
SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int flags_in_other_slot_after_each_turn(struct __sk_buff *skb)
{
	unsigned long one, other;
	int i;

	bpf_local_irq_save(&one);
	bpf_for(i, 0, 5) {
		bpf_local_irq_restore(&one);
		bpf_local_irq_save(&other);
	}
	bpf_local_irq_restore(&one);
	return 0;
}

/* Interrupts are off at both ends, but the order is lost: inner flags saved before outer ones. */
SEC("tc")
int order_of_flags_reversed_in_each_turn(struct __sk_buff *skb)
{
	unsigned long outer, inner;
	int i;

	bpf_local_irq_save(&outer);
	bpf_local_irq_save(&inner);
	bpf_for(i, 0, 5) {
		bpf_local_irq_restore(&inner);
		bpf_local_irq_restore(&outer);
		bpf_local_irq_save(&inner);
		bpf_local_irq_save(&outer);
	}
	bpf_local_irq_restore(&inner);
	bpf_local_irq_restore(&outer);
	return 0;
}

SEC("tc")
int irqsave_kept_by_each_turn(struct __sk_buff *skb)
{
	unsigned long flags;
	int i;

	bpf_for(i, 0, 5)
		if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
			return 0;
	return 0;
}

/* --- may_goto */

/* may_goto ends the loop with the lock held, and the label is after the release. */
SEC("tc")
int lock_left_by_may_goto(struct __sk_buff *skb)
{
	int turns = 0;

	for (;;) {
		if (bpf_res_spin_lock(&lock_a))
			break;
		may_goto(out);
		turns++;
		bpf_res_spin_unlock(&lock_a);
	}
out:
	return turns;
}

SEC("tc")
int lock_released_after_may_goto_only(struct __sk_buff *skb)
{
	int turns = 0;

	for (;;) {
		may_goto(out);
		if (turns >= 5 || bpf_res_spin_lock(&lock_a))
			return 0;
		turns++;
		bpf_res_spin_unlock(&lock_a);
	}
out:
	bpf_res_spin_unlock(&lock_a);
	return turns;
}

SEC("tc")
int irqs_off_over_may_goto(struct __sk_buff *skb)
{
	unsigned long flags;

	for (;;) {
		may_goto(out);
		bpf_local_irq_save(&flags);
	}
out:
	return 0;
}

SEC("tc")
int irqs_off_left_by_may_goto(struct __sk_buff *skb)
{
	unsigned long flags;
	int turns = 0;

	for (;;) {
		bpf_local_irq_save(&flags);
		may_goto(out);
		turns++;
		bpf_local_irq_restore(&flags);
	}
out:
	return turns;
}

SEC("tc")
int lock_taken_over_may_goto(struct __sk_buff *skb)
{
	for (;;) {
		may_goto(out);
		if (bpf_res_spin_lock(&lock_a))
			break;
	}
out:
	return 0;
}
