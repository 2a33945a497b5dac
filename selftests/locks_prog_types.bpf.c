// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which types of programs can use a map with a bpf_res_spin_lock: those that can use one with a
 * bpf_spin_lock. And what either lock allows while it is held, loops by bpf_for().
 */
#include "selftest.h"

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_res_spin_lock lock;
private(B) struct bpf_spin_lock plain_lock;

static __always_inline int lock_and_unlock(void)
{
	int err = bpf_res_spin_lock(&lock);

	if (!err)
		bpf_res_spin_unlock(&lock);
	return err;
}

SEC("raw_tp/sys_enter")
int of_raw_tracepoint(void *ctx)
{
	return lock_and_unlock();
}

SEC("tp/syscalls/sys_enter_getpgid")
int of_tracepoint(void *ctx)
{
	return lock_and_unlock();
}

SEC("perf_event")
int of_perf_event(void *ctx)
{
	return lock_and_unlock();
}


SEC("socket")
int of_socket_filter(struct __sk_buff *skb)
{
	return lock_and_unlock();
}

SEC("fentry/security_task_getpgid")
int of_function(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "locking returned %d\n", lock_and_unlock());
	return 0;
}

SEC("syscall")
int loop_with_res_spin_lock(void *ctx)
{
	int i, sum = 0;

	if (bpf_res_spin_lock(&lock))
		return -1;
	bpf_for(i, 0, 10)
		sum += i;
	bpf_res_spin_unlock(&lock);
	bpf_stream_printk(BPF_STDOUT, "the sum is %d\n", sum);
	return 0;
}

SEC("tc")
int loop_with_spin_lock(struct __sk_buff *skb)
{
	int i, sum = 0;

	bpf_spin_lock(&plain_lock);
	bpf_for(i, 0, 10)
		sum += i;
	bpf_spin_unlock(&plain_lock);
	bpf_stream_printk(BPF_STDOUT, "the sum is %d\n", sum);
	return 0;
}

/* Must be rejected: the lock is not held in every round. */
SEC("tc")
int unlocked_in_loop(struct __sk_buff *skb)
{
	int i;

	bpf_spin_lock(&plain_lock);
	bpf_for(i, 0, 10)
		bpf_spin_unlock(&plain_lock);
	return 0;
}

/* Must be rejected: a lock is left behind where the loop has a round. */
SEC("tc")
int locked_in_loop(struct __sk_buff *skb)
{
	int i;

	bpf_for(i, 0, 10)
		bpf_spin_lock(&plain_lock);
	return 0;
}
