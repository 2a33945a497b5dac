// SPDX-License-Identifier: GPL-2.0-only
/* Which types of programs may take a bpf_res_spin_lock, of a global and of an inner map's value. */
#include "selftest.h"

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_res_spin_lock lock_a;

struct element {
	struct bpf_res_spin_lock lock;
	int value;
};

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct element);
} inner_one SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, int);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { &inner_one },
};

static __always_inline int lock_global(void)
{
	if (bpf_res_spin_lock(&lock_a))
		return -1;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

static __always_inline int lock_inner(void)
{
	void *map = bpf_map_lookup_elem(&outer, &(int){ 0 });
	struct element *element;

	if (!map)
		return 0;
	element = bpf_map_lookup_elem(map, &(int){ 0 });
	if (!element || bpf_res_spin_lock(&element->lock))
		return 0;
	bpf_res_spin_unlock(&element->lock);
	return 0;
}

SEC("socket")
int global_in_socket_filter(struct __sk_buff *skb)
{
	return lock_global();
}

SEC("socket")
int inner_in_socket_filter(struct __sk_buff *skb)
{
	return lock_inner();
}

SEC("raw_tp/sys_enter")
__scenario(load_only)
int global_in_raw_tracepoint(void *ctx)
{
	return lock_global();
}

SEC("raw_tp/sys_enter")
__scenario(load_only)
int inner_in_raw_tracepoint(void *ctx)
{
	return lock_inner();
}

SEC("perf_event")
__scenario(load_only)
int global_in_perf_event(void *ctx)
{
	return lock_global();
}

SEC("perf_event")
__scenario(load_only)
int inner_in_perf_event(void *ctx)
{
	return lock_inner();
}

SEC("tracepoint/syscalls/sys_enter_getpgid")
__scenario(load_only)
int global_in_tracepoint(void *ctx)
{
	return lock_global();
}

SEC("tracepoint/syscalls/sys_enter_getpgid")
__scenario(load_only)
int inner_in_tracepoint(void *ctx)
{
	return lock_inner();
}

SEC("kprobe")
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

SEC("syscall")
int inner_in_syscall(void *ctx)
{
	return lock_inner();
}
