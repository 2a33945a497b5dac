// SPDX-License-Identifier: GPL-2.0-only
/* A list in the same value as a bpf_res_spin_lock. (A file of its own, as all of its BTF is rejected.) */
#include "selftest.h"
#include <bpf/bpf_core_read.h>

extern void *bpf_obj_new(__u64 local_type_id__k) __weak __ksym;
extern void bpf_obj_drop(void *p__alloc) __weak __ksym;
extern int bpf_list_push_front(struct bpf_list_head *head, struct bpf_list_node *node) __weak __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __weak __ksym;

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))

struct item {
	struct bpf_list_node node;
	int value;
};

private(A) struct bpf_res_spin_lock lock;
private(A) struct bpf_list_head list contains(item, node);

SEC("tc") __not_run_in_mainline("a bpf_res_spin_lock can guard lists and trees there, and freeing them warns; here only a bpf_spin_lock can")
int pushed_and_popped(struct __sk_buff *skb)
{
	struct item *item = bpf_obj_new(bpf_core_type_id_local(struct item));
	struct bpf_list_node *node;
	int ret;

	if (!item)
		return -1;
	item->value = 7;
	if (bpf_res_spin_lock(&lock)) {
		bpf_obj_drop(item);
		return -2;
	}
	bpf_list_push_front(&list, &item->node);
	node = bpf_list_pop_front(&list);
	bpf_res_spin_unlock(&lock);
	if (!node)
		return -3;
	item = container_of(node, struct item, node);
	ret = item->value;
	bpf_obj_drop(item);
	return ret;
}

SEC("tc") __not_run_in_mainline("it warns when it frees a list that a bpf_res_spin_lock guards")
int pushed_without_lock(struct __sk_buff *skb)
{
	struct item *item = bpf_obj_new(bpf_core_type_id_local(struct item));

	if (item)
		bpf_list_push_front(&list, &item->node);
	return 0;
}
