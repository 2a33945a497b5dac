// SPDX-License-Identifier: GPL-2.0-only
/* Acquires an uncontended lock, and releases it. */
#include "bench.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct { struct bpf_res_spin_lock lock; });
} with_res_spin_lock SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct { struct bpf_spin_lock lock; });
} with_spin_lock SEC(".maps");

SEC("tc")
__scenario(bench)
int res_spin_lock(struct __sk_buff *ctx)
{
	struct bpf_res_spin_lock *lock = bpf_map_lookup_elem(&with_res_spin_lock, &(int){ 0 });

	if (!lock)
		return -1;
	return cost(TURNS, if (bpf_res_spin_lock(lock)) return -1; bpf_res_spin_unlock(lock));
}

SEC("tc")
__scenario(bench)
int spin_lock(struct __sk_buff *ctx)
{
	struct bpf_spin_lock *lock = bpf_map_lookup_elem(&with_spin_lock, &(int){ 0 });

	if (!lock)
		return -1;
	return cost(TURNS, bpf_spin_lock(lock); bpf_spin_unlock(lock));
}
