// SPDX-License-Identifier: GPL-2.0-only
/* Program types that may use a bpf_res_spin_lock: the same as for a bpf_spin_lock. */
#include "selftest.h"

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_res_spin_lock lock_a;

static __always_inline int lock_global(void)
{
	if (bpf_res_spin_lock(&lock_a))
		return -1;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("socket")
int global_in_socket_filter(struct __sk_buff *skb)
{
	return lock_global();
}

SEC("raw_tp/sys_enter") __not_in_mainline("it does not check the program type for bpf_spin_lock in a global variable")
__scenario(load_only)
int global_in_raw_tracepoint(void *ctx)
{
	return lock_global();
}

SEC("perf_event") __not_in_mainline("it does not check the program type for bpf_spin_lock in a global variable")
__scenario(load_only)
int global_in_perf_event(void *ctx)
{
	return lock_global();
}

SEC("tracepoint/syscalls/sys_enter_getpgid") __not_in_mainline("it does not check the program type for bpf_spin_lock in a global variable")
__scenario(load_only)
int global_in_tracepoint(void *ctx)
{
	return lock_global();
}

SEC("kprobe") __not_in_mainline("it does not check the program type for bpf_spin_lock in a global variable")
__scenario(load_only)
int global_in_kprobe(void *ctx)
{
	return lock_global();
}

SEC("tp_btf/sys_enter")
__scenario(load_only)
int global_in_traced_program(void *ctx)
{
	return lock_global();
}

SEC("xdp")
int global_in_xdp(struct xdp_md *xdp)
{
	return lock_global() ? XDP_DROP : XDP_PASS;
}

SEC("cgroup_skb/egress")
int global_in_cgroup_skb(struct __sk_buff *skb)
{
	return lock_global() ? 0 : 1;
}
