// SPDX-License-Identifier: GPL-2.0-only
/*
 * A list is guarded by a bpf_spin_lock only: the kernel takes its lock when it frees the map value
 * with the list, and could not do so if acquiring failed. The kernel refuses the types of an object
 * that has such a struct, so it is in a file of its own.
 */
#include "selftest.h"

#define contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))

struct node {
	struct bpf_list_node node;
};

struct list {
	struct bpf_res_spin_lock lock;
	struct bpf_list_head head contains(node, node);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct list);
} lists SEC(".maps");

SEC("tc") __not_in_mainline("the kernel could not free the list if it failed to acquire the lock")
int list_with_res_spin_lock(struct __sk_buff *skb)
{
	struct list *list = bpf_map_lookup_elem(&lists, &(int){ 0 });

	if (!list || bpf_res_spin_lock(&list->lock))
		return -1;
	bpf_res_spin_unlock(&list->lock);
	return 0;
}
