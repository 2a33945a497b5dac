// SPDX-License-Identifier: GPL-2.0-only
/* Loops while a bpf_spin_lock is held. */
#include "selftest.h"

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_spin_lock lock;

SEC("tc")
int bpf_for_under_lock(struct __sk_buff *skb)
{
	int i, turns = 0;

	bpf_spin_lock(&lock);
	bpf_for(i, 0, 5)
		turns++;
	bpf_spin_unlock(&lock);
	return turns;
}

SEC("tc")
int may_goto_under_lock(struct __sk_buff *skb)
{
	int turns = 0;

	bpf_spin_lock(&lock);
	for (;;) {
		may_goto(out);
		if (turns >= 5)
			break;
		turns++;
	}
out:
	bpf_spin_unlock(&lock);
	return turns;
}

SEC("tc")
int lock_in_each_turn(struct __sk_buff *skb)
{
	int i, turns = 0;

	bpf_for(i, 0, 5) {
		bpf_spin_lock(&lock);
		turns++;
		bpf_spin_unlock(&lock);
	}
	return turns;
}

SEC("tc") __not_in_mainline("its verifier rejects the program with another message")
int lock_kept_by_each_turn(struct __sk_buff *skb)
{
	int i;

	bpf_for(i, 0, 5)
		bpf_spin_lock(&lock);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the program with another message")
int lock_released_in_turn(struct __sk_buff *skb)
{
	int i;

	bpf_spin_lock(&lock);
	bpf_for(i, 0, 5)
		bpf_spin_unlock(&lock);
	return 0;
}
