// SPDX-License-Identifier: GPL-2.0-only
/* A tree in the same value as a bpf_res_spin_lock. (A file of its own, as all of its BTF is rejected.) */
#include "selftest.h"
#include <bpf/bpf_core_read.h>

extern void *bpf_obj_new(__u64 local_type_id__k) __weak __ksym;
extern void bpf_obj_drop(void *p__alloc) __weak __ksym;
extern int bpf_rbtree_add(struct bpf_rb_root *root, struct bpf_rb_node *node,
			  bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b)) __weak
	__ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __weak __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node)
	__weak __ksym;

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))

struct leaf {
	struct bpf_rb_node node;
	int value;
};

private(A) struct bpf_res_spin_lock lock;
private(A) struct bpf_rb_root tree contains(leaf, node);

static bool is_less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct leaf, node)->value < container_of(b, struct leaf, node)->value;
}

SEC("tc") __not_run_in_mainline("a bpf_res_spin_lock can guard lists and trees there, and freeing them warns; here only a bpf_spin_lock can")
int added_and_removed(struct __sk_buff *skb)
{
	struct leaf *leaf = bpf_obj_new(bpf_core_type_id_local(struct leaf));
	struct bpf_rb_node *node;
	int ret;

	if (!leaf)
		return -1;
	leaf->value = 7;
	if (bpf_res_spin_lock(&lock)) {
		bpf_obj_drop(leaf);
		return -2;
	}
	bpf_rbtree_add(&tree, &leaf->node, is_less);
	node = bpf_rbtree_first(&tree);
	if (node)
		node = bpf_rbtree_remove(&tree, node);
	bpf_res_spin_unlock(&lock);
	if (!node)
		return -3;
	leaf = container_of(node, struct leaf, node);
	ret = leaf->value;
	bpf_obj_drop(leaf);
	return ret;
}
