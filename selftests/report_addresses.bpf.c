// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Addresses follow kptr_restrict; a loader without CAP_PERFMON sees no raw kernel address." Hashed
 * addresses still show that the attempted lock is the held one.
 */
#include "selftest.h"

struct element {
	struct bpf_res_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

SEC("tc") __not_in_mainline("it prints raw addresses for every loader")
__scenario(report_addresses)
int lock_twice(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct element *one = bpf_map_lookup_elem(&elements, &key);
	struct element *same = bpf_map_lookup_elem(&elements, &key);

	if (!one || !same)
		return -1;
	if (bpf_res_spin_lock(&one->lock))
		return -1;
	if (!bpf_res_spin_lock(&same->lock))
		bpf_res_spin_unlock(&same->lock);
	bpf_res_spin_unlock(&one->lock);
	return 0;
}
