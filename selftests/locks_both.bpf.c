// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lock of each kind in one value. The kernel rejects the object's BTF because of it,
 * and without BTF there is no lock. (In a file of its own, as all of its BTF is
 * rejected.)
 */
#include "selftest.h"

struct element {
	struct bpf_res_spin_lock lock;
	struct bpf_spin_lock plain;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct element);
} elements SEC(".maps");

SEC("tc")
int both_in_value(struct __sk_buff *skb)
{
	int key = 0;
	struct element *e = bpf_map_lookup_elem(&elements, &key);
	void *lock = e;

	if (e && !bpf_res_spin_lock(lock))
		bpf_res_spin_unlock(lock);
	return 0;
}
