// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verifier's rules for bpf_res_spin_lock: each program violates one rule, and the log names it.
 * locks.bpf.c has the valid programs.
 */
#include "selftest.h"
#include <bpf/bpf_core_read.h>

extern void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) __ksym;
extern void bpf_obj_drop_impl(void *p__alloc, void *meta__ign) __ksym;

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_res_spin_lock lock_a;
private(B) struct bpf_res_spin_lock lock_b;
private(C) struct bpf_spin_lock plain_lock;

struct element {
	struct bpf_res_spin_lock lock;
	int value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, struct element);
} elements SEC(".maps");

/* Has no lock. */
static long plain_value;

static __always_inline struct element *element(int key)
{
	return bpf_map_lookup_elem(&elements, &key);
}

/* --- the argument */

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int lock_on_stack(struct __sk_buff *skb)
{
	struct bpf_res_spin_lock lock = {};

	return bpf_res_spin_lock(&lock);
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int lock_is_number(struct __sk_buff *skb)
{
	return bpf_res_spin_lock((void *)(long)skb->len);
}

SEC("tc") __not_in_mainline("it knows that an element of an array with a constant index is there, and finds the next fault")
int element_not_checked_for_null(struct __sk_buff *skb)
{
	return bpf_res_spin_lock(&element(0)->lock);
}

SEC("tc")
int value_has_no_lock(struct __sk_buff *skb)
{
	return bpf_res_spin_lock((void *)&plain_value);
}

struct object {
	int value;
};

SEC("tc")
int object_has_no_lock(struct __sk_buff *skb)
{
	struct object *object = bpf_obj_new_impl(bpf_core_type_id_local(struct object), NULL);

	if (!object)
		return 0;
	bpf_res_spin_lock((void *)object);
	bpf_obj_drop_impl(object, NULL);
	return 0;
}

SEC("tc")
int wrong_kind_of_lock(struct __sk_buff *skb)
{
	return bpf_res_spin_lock((void *)&plain_lock);
}

SEC("tc")
int wrong_offset(struct __sk_buff *skb)
{
	return bpf_res_spin_lock((void *)&lock_a + 1);
}

SEC("tc")
int variable_offset(struct __sk_buff *skb)
{
	struct element *e = element(0);

	if (!e)
		return 0;
	return bpf_res_spin_lock((void *)e + (skb->len & 4));
}

/* --- acquiring and releasing */

SEC("tc")
int same_lock_twice(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (!bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int same_lock_below_another(struct __sk_buff *skb)
{
	struct element *e = element(0);

	if (!e)
		return 0;
	if (bpf_res_spin_lock(&e->lock))
		return 0;
	if (!bpf_res_spin_lock(&lock_a)) {
		if (!bpf_res_spin_lock(&e->lock))
			bpf_res_spin_unlock(&e->lock);
		bpf_res_spin_unlock(&lock_a);
	}
	bpf_res_spin_unlock(&e->lock);
	return 0;
}

SEC("tc")
int result_not_checked(struct __sk_buff *skb)
{
	bpf_res_spin_lock(&lock_a);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int unlock_where_it_failed(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	else
		bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int unlock_without_lock(struct __sk_buff *skb)
{
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int unlock_of_other_global(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_res_spin_unlock(&lock_b);
	return 0;
}

/* Two lookups: the verifier does not know that they find the same value. */
SEC("tc")
int unlock_of_other_element(struct __sk_buff *skb)
{
	struct element *one = element(0), *two = element(0);

	if (!one || !two)
		return 0;
	if (bpf_res_spin_lock(&one->lock))
		return 0;
	bpf_res_spin_unlock(&two->lock);
	return 0;
}

SEC("tc")
int unlock_out_of_order(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (bpf_res_spin_lock(&lock_b)) {
		bpf_res_spin_unlock(&lock_a);
		return 0;
	}
	bpf_res_spin_unlock(&lock_a);
	bpf_res_spin_unlock(&lock_b);
	return 0;
}

SEC("tc")
int irqsave_released_without_restore(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int restore_of_lock_taken_without(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	if (bpf_res_spin_lock(&lock_a)) {
		bpf_local_irq_restore(&flags);
		return 0;
	}
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return 0;
}

SEC("tc")
int plain_unlock_of_resilient_lock(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_spin_unlock((void *)&lock_a);
	return 0;
}

SEC("tc")
int plain_lock_released_first(struct __sk_buff *skb)
{
	bpf_spin_lock(&plain_lock);
	if (bpf_res_spin_lock(&lock_a)) {
		bpf_spin_unlock(&plain_lock);
		return 0;
	}
	bpf_spin_unlock(&plain_lock);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

/* --- with a lock held */

SEC("tc")
int exit_with_lock(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	return 1;
}

SEC("tc")
int exit_with_lock_and_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock_a, &flags))
		return 0;
	return 1;
}

static __noinline int lock_and_return(void)
{
	return bpf_res_spin_lock(&lock_a);
}

SEC("tc")
int exit_with_lock_of_subprogram(struct __sk_buff *skb)
{
	lock_and_return();
	return 1;
}

SEC("tc")
int helper_with_lock(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_ktime_get_ns();
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int kfunc_with_lock(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_local_irq_save(&flags);
	bpf_local_irq_restore(&flags);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

__noinline int global_function(int x)
{
	return x + 1;
}

SEC("tc")
int global_function_with_lock(struct __sk_buff *skb)
{
	int ret;

	if (bpf_res_spin_lock(&lock_a))
		return 0;
	ret = global_function(skb->len);
	bpf_res_spin_unlock(&lock_a);
	return ret;
}

SEC("tc")
int load_abs_with_lock(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	asm volatile("r6 = %[skb]; r0 = *(u8 *)skb[0];" ::[skb] "r"(skb) : "r0", "r1", "r2", "r3", "r4",
		     "r5", "r6");
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

static int lock_in_callback(__u32 i, void *ctx)
{
	return bpf_res_spin_lock(&lock_a) != 0;
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int callback_keeps_lock(struct __sk_buff *skb)
{
	bpf_loop(2, lock_in_callback, NULL, 0);
	return 0;
}

/* --- pruning: the paths differ in the held locks, and only the second one is invalid */

SEC("tc")
int path_that_keeps_lock(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (skb->len > 100)
		bpf_res_spin_unlock(&lock_a);
	barrier_var(skb);
	return 0;
}

/* The held locks must be the same; in one order of the paths or the other, the valid one comes first. */
SEC("tc")
int path_with_other_lock(struct __sk_buff *skb)
{
	if (skb->len > 100) {
		if (bpf_res_spin_lock(&lock_a))
			return 0;
	} else {
		if (bpf_res_spin_lock(&lock_b))
			return 0;
	}
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int path_with_other_lock_first(struct __sk_buff *skb)
{
	if (skb->len > 100) {
		if (bpf_res_spin_lock(&lock_a))
			return 0;
	} else {
		if (bpf_res_spin_lock(&lock_b))
			return 0;
	}
	bpf_res_spin_unlock(&lock_b);
	return 0;
}

/* --- programs must not read or write the lock itself */

SEC("tc")
int lock_read(struct __sk_buff *skb)
{
	struct element *e = element(0);

	return e ? *(volatile __u32 *)&e->lock.val : 0;
}

SEC("tc")
int lock_written(struct __sk_buff *skb)
{
	struct element *e = element(0);

	if (e)
		*(volatile __u32 *)&e->lock.val = 1;
	return 0;
}

SEC("tc")
int lock_of_global_written(struct __sk_buff *skb)
{
	*(volatile __u32 *)&lock_a.val = 1;
	return 0;
}

struct locked_object {
	struct bpf_res_spin_lock lock;
	int value;
};

SEC("tc") __not_in_mainline("it has no bpf_res_spin_lock in allocated objects, so there is none to protect")
int lock_of_object_written(struct __sk_buff *skb)
{
	struct locked_object *object =
		bpf_obj_new_impl(bpf_core_type_id_local(struct locked_object), NULL);

	if (!object)
		return 0;
	*(volatile __u32 *)&object->lock.val = 1;
	bpf_obj_drop_impl(object, NULL);
	return 0;
}

SEC("tc")
int lock_written_by_helper(struct __sk_buff *skb)
{
	struct element *e = element(0);

	if (e)
		bpf_probe_read_kernel(e, sizeof(*e), skb);
	return 0;
}

/* --- calls while a lock is held, beyond those of the first section */

SEC("tc")
int plain_lock_with_lock(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_spin_lock(&plain_lock);
	bpf_spin_unlock(&plain_lock);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

extern void bpf_throw(u64 cookie) __weak __ksym;

SEC("tc")
int throw_with_lock(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	if (skb->len > 100)
		bpf_throw(0);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} programs SEC(".maps");

SEC("tc")
int tail_call_with_lock(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_tail_call(skb, &programs, 0);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

extern int bpf_copy_from_user_str(void *dst, u32 dst__sz, const void *unsafe_ptr__ign, u64 flags)
	__weak __ksym;

SEC("syscall")
int sleepable_kfunc_with_lock(void *ctx)
{
	char text[8];

	if (bpf_res_spin_lock(&lock_a))
		return 0;
	bpf_copy_from_user_str(text, sizeof(text), NULL, 0);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

/* The comparison callback of a tree runs under the tree's bpf_spin_lock, and must take no lock. */
struct node {
	struct bpf_rb_node node;
	int key;
};

private(D) struct bpf_spin_lock tree_lock;
private(D) struct bpf_rb_root tree __attribute__((btf_decl_tag("contains:node:node")));

extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b),
			       void *meta__ign, u64 off) __weak __ksym;

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	if (!bpf_res_spin_lock(&lock_a))
		bpf_res_spin_unlock(&lock_a);
	return false;
}

SEC("tc")
int lock_in_order_of_tree(struct __sk_buff *skb)
{
	struct node *node = bpf_obj_new_impl(bpf_core_type_id_local(struct node), NULL);

	if (!node)
		return 0;
	bpf_spin_lock(&tree_lock);
	bpf_rbtree_add_impl(&tree, &node->node, less, NULL, 0);
	bpf_spin_unlock(&tree_lock);
	return 0;
}

/* --- unsupported maps: libbpf creates such a map without BTF, so that it has no lock */

#define LOCKED_MAP(name, kind)                     \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_##kind); \
		__uint(max_entries, 1);            \
		__type(key, int);                  \
		__type(value, struct element);     \
	} name SEC(".maps")

LOCKED_MAP(lru_hash, LRU_HASH);
LOCKED_MAP(percpu_array, PERCPU_ARRAY);
LOCKED_MAP(percpu_hash, PERCPU_HASH);

#define lock_in(map)                                          \
	({                                                    \
		struct element *__e;                          \
		int __key = 0;                                \
							      \
		__e = bpf_map_lookup_elem(map, &__key);       \
		if (__e && !bpf_res_spin_lock(&__e->lock))    \
			bpf_res_spin_unlock(&__e->lock);      \
		0;                                            \
	})

SEC("tc")
int lock_in_lru_hash(struct __sk_buff *skb)
{
	return lock_in(&lru_hash);
}

SEC("tc")
int lock_in_percpu_array(struct __sk_buff *skb)
{
	return lock_in(&percpu_array);
}

SEC("tc")
int lock_in_percpu_hash(struct __sk_buff *skb)
{
	return lock_in(&percpu_hash);
}
