// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kfuncs by the names that programs built for 7.x call: bpf_obj_new() and its relatives, without _impl and
 * without the arguments that the verifier supplies. A program leaves the registers of these arguments as
 * they are; here, as the previous call left them.
 */
#include "workqueue.h"
#include <bpf/bpf_core_read.h>

/* as in the headers of 7.x */
extern void *bpf_obj_new(__u64 local_type_id__k) __weak __ksym;
extern void bpf_obj_drop(void *p__alloc) __weak __ksym;
extern void *bpf_percpu_obj_new(__u64 local_type_id__k) __weak __ksym;
extern void bpf_percpu_obj_drop(void *p__alloc) __weak __ksym;
extern void *bpf_refcount_acquire(void *p__refcounted_kptr) __weak __ksym;
extern int bpf_list_push_front(struct bpf_list_head *head, struct bpf_list_node *node) __weak __ksym;
extern int bpf_list_push_back(struct bpf_list_head *head, struct bpf_list_node *node) __weak __ksym;
extern int bpf_rbtree_add(struct bpf_rb_root *root, struct bpf_rb_node *node,
			  bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b)) __weak
	__ksym;

/* 6.12's */
extern void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) __weak __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq,
				    int(callback_fn)(void *map, int *key, void *value),
				    unsigned int flags, void *aux) __weak __ksym;

/* the same in both versions */
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __weak __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __weak __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node)
	__weak __ksym;

#define new(type) ((type *)bpf_obj_new(bpf_core_type_id_local(type)))

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))

/* --- lists, trees, and objects in both */

struct item {
	struct bpf_list_node node;
	int value;
};

private(LIST) struct bpf_spin_lock list_lock;
private(LIST) struct bpf_list_head list contains(item, node);

static __always_inline int put_in_list(int value, bool front)
{
	struct item *item = new(struct item);
	int err;

	if (!item)
		return -1;
	item->value = value;
	bpf_spin_lock(&list_lock);
	err = front ? bpf_list_push_front(&list, &item->node) :
		      bpf_list_push_back(&list, &item->node);
	bpf_spin_unlock(&list_lock);
	return err;
}

static __always_inline void print_first_of_list(void)
{
	struct bpf_list_node *node;
	struct item *item;

	bpf_spin_lock(&list_lock);
	node = bpf_list_pop_front(&list);
	bpf_spin_unlock(&list_lock);
	if (!node) {
		bpf_stream_printk(BPF_STDOUT, "the list is empty\n");
		return;
	}
	item = container_of(node, struct item, node);
	bpf_stream_printk(BPF_STDOUT, "%d in the list\n", item->value);
	bpf_obj_drop(item);
}

SEC("tc")
int objects_in_list(struct __sk_buff *skb)
{
	int err = put_in_list(2, false) ?: put_in_list(3, false) ?: put_in_list(1, true);

	print_first_of_list();
	print_first_of_list();
	print_first_of_list();
	print_first_of_list();
	return err;
}

struct branch {
	struct bpf_rb_node node;
	int value;
};

private(TREE) struct bpf_spin_lock tree_lock;
private(TREE) struct bpf_rb_root tree contains(branch, node);

static bool is_less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct branch, node)->value <
	       container_of(b, struct branch, node)->value;
}

static __always_inline int put_in_tree(int value)
{
	struct branch *branch = new(struct branch);
	int err;

	if (!branch)
		return -1;
	branch->value = value;
	bpf_spin_lock(&tree_lock);
	err = bpf_rbtree_add(&tree, &branch->node, is_less);
	bpf_spin_unlock(&tree_lock);
	return err;
}

static __always_inline void print_first_of_tree(void)
{
	struct bpf_rb_node *node;
	struct branch *branch;

	bpf_spin_lock(&tree_lock);
	node = bpf_rbtree_first(&tree);
	if (node)
		node = bpf_rbtree_remove(&tree, node);
	bpf_spin_unlock(&tree_lock);
	if (!node) {
		bpf_stream_printk(BPF_STDOUT, "the tree is empty\n");
		return;
	}
	branch = container_of(node, struct branch, node);
	bpf_stream_printk(BPF_STDOUT, "%d in the tree\n", branch->value);
	bpf_obj_drop(branch);
}

SEC("tc")
int objects_in_tree(struct __sk_buff *skb)
{
	int err = put_in_tree(2) ?: put_in_tree(3) ?: put_in_tree(1);

	print_first_of_tree();
	print_first_of_tree();
	print_first_of_tree();
	print_first_of_tree();
	return err;
}

/* An object in a list and in a tree at once; changes through one are visible through the other. */
#define DEFINE_SHARED(type, field)                                                      \
	struct type {                                                                   \
		struct bpf_list_node in_list;                                           \
		struct bpf_rb_node in_tree;                                             \
		struct bpf_refcount count;                                              \
		field;                                                                  \
		int value;                                                              \
	};                                                                              \
	private(type) struct bpf_spin_lock type##_lock;                                 \
	private(type) struct bpf_list_head type##_list contains(type, in_list);         \
	private(type) struct bpf_rb_root type##_tree contains(type, in_tree);           \
	static __always_inline int put_##type(int value)                                \
	{                                                                               \
		struct type *object = new(struct type), *again;                         \
		int err;                                                                \
											\
		if (!object)                                                            \
			return -1;                                                      \
		object->value = value;                                                  \
		again = bpf_refcount_acquire(object);                                   \
		bpf_spin_lock(&type##_lock);                                            \
		err = bpf_list_push_back(&type##_list, &object->in_list);               \
		err = bpf_rbtree_add(&type##_tree, &again->in_tree, put_first) ?: err;  \
		bpf_spin_unlock(&type##_lock);                                          \
		return err;                                                             \
	}                                                                               \
	static __always_inline struct type *take_##type##_from_list(void)               \
	{                                                                               \
		struct bpf_list_node *node;                                             \
											\
		bpf_spin_lock(&type##_lock);                                            \
		node = bpf_list_pop_front(&type##_list);                                \
		bpf_spin_unlock(&type##_lock);                                          \
		return node ? container_of(node, struct type, in_list) : NULL;          \
	}                                                                               \
	static __always_inline struct type *take_##type##_from_tree(void)               \
	{                                                                               \
		struct bpf_rb_node *node;                                               \
											\
		bpf_spin_lock(&type##_lock);                                            \
		node = bpf_rbtree_first(&type##_tree);                                  \
		if (node)                                                               \
			node = bpf_rbtree_remove(&type##_tree, node);                   \
		bpf_spin_unlock(&type##_lock);                                          \
		return node ? container_of(node, struct type, in_tree) : NULL;          \
	}

static bool put_first(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return true;
}

DEFINE_SHARED(shared, int other)
DEFINE_SHARED(locked, struct bpf_res_spin_lock lock)

SEC("tc")
int object_in_list_and_tree(struct __sk_buff *skb)
{
	struct shared *object;
	int err = put_shared(1);

	object = take_shared_from_list();
	if (!object)
		return -2;
	object->value++;
	bpf_obj_drop(object);

	object = take_shared_from_tree();
	if (!object)
		return -3;
	bpf_stream_printk(BPF_STDOUT, "%d in the tree, after one was added in the list\n",
			  object->value);
	bpf_obj_drop(object);
	return err;
}

SEC("tc")
int locked_object_in_list_and_tree(struct __sk_buff *skb)
{
	struct locked *object;
	int err = put_locked(1);

	object = take_locked_from_list();
	if (!object)
		return -2;
	if (!bpf_res_spin_lock(&object->lock)) {
		object->value++;
		bpf_res_spin_unlock(&object->lock);
	}
	bpf_obj_drop(object);

	object = take_locked_from_tree();
	if (!object)
		return -3;
	if (!bpf_res_spin_lock(&object->lock)) {
		object->value++;
		bpf_res_spin_unlock(&object->lock);
	}
	bpf_stream_printk(BPF_STDOUT, "%d, after one was added under its lock twice\n",
			  object->value);
	bpf_obj_drop(object);
	return err;
}

/* --- per-CPU objects */

struct counter {
	__u64 count;
};

struct counters {
	struct counter __percpu_kptr *counter;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct counters);
} counters SEC(".maps");

SEC("tc")
int percpu_object(struct __sk_buff *skb)
{
	struct counter __percpu_kptr *object;
	struct counter *counter;
	struct counters *e;
	int key = 0;

	e = bpf_map_lookup_elem(&counters, &key);
	if (!e)
		return -1;
	object = bpf_percpu_obj_new(bpf_core_type_id_local(struct counter));
	if (!object)
		return -2;
	object = bpf_kptr_xchg(&e->counter, object);
	if (object)
		bpf_percpu_obj_drop(object);

	object = e->counter;
	if (!object)
		return -3;
	counter = bpf_this_cpu_ptr(object);
	counter->count = 41;
	counter->count++;
	bpf_stream_printk(BPF_STDOUT, "%llu on this CPU\n", counter->count);

	object = bpf_kptr_xchg(&e->counter, NULL);
	if (!object)
		return -4;
	bpf_percpu_obj_drop(object);
	return 0;
}

/* --- workqueues */

struct element {
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct element);
} works SEC(".maps");

static int work(void *map, int *key, void *value)
{
	bpf_stream_printk(BPF_STDOUT, "in the work queue\n");
	return 0;
}

#define start_work(set_callback, hidden...)                               \
	({                                                                \
		int __key = 0, __err = -1;                                \
		struct element *__e;                                      \
									  \
		__e = bpf_map_lookup_elem(&works, &__key);                \
		if (__e)                                                  \
			__err = bpf_wq_init(&__e->work, &works, 0) ?:     \
				set_callback(&__e->work, work, 0, ##hidden) ?: \
				bpf_wq_start(&__e->work, 0);              \
		__err;                                                    \
	})

SEC("syscall")
__wait_stdout(18)
int work_queue(void *ctx)
{
	return start_work(bpf_wq_set_callback);
}

/* --- the earlier names, in the same program as the later ones */

SEC("tc")
int object_of_earlier_name(struct __sk_buff *skb)
{
	struct item *item = bpf_obj_new_impl(bpf_core_type_id_local(struct item), NULL);

	if (!item)
		return -1;
	item->value = 5;
	bpf_spin_lock(&list_lock);
	bpf_list_push_back(&list, &item->node);
	bpf_spin_unlock(&list_lock);
	print_first_of_list();
	return 0;
}

SEC("syscall") __not_in_mainline("there this name is none for programs")
__wait_stdout(18)
int work_queue_of_earlier_name(void *ctx)
{
	return start_work(bpf_wq_set_callback_impl, NULL);
}

/* --- rejected, as with the earlier names */

SEC("tc") __not_in_mainline("it has other words for the release of what is not owned")
int object_dropped_twice(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (!item)
		return 0;
	bpf_obj_drop(item);
	bpf_obj_drop(item);
	return 0;
}

SEC("tc")
int object_not_dropped(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	return item ? 1 : 0;
}

SEC("tc")
int list_without_lock(struct __sk_buff *skb)
{
	struct item *item = new(struct item);

	if (item)
		bpf_list_push_front(&list, &item->node);
	return 0;
}
