/* SPDX-License-Identifier: GPL-2.0-only */
/* Objects of the tests that release them in a callback or a function. */
#ifndef __RELEASED_H
#define __RELEASED_H

#include "selftest.h"
#include <bpf/bpf_core_read.h>

extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit) __weak
	__ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __weak __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer__opt,
			      __u32 buffer__szk) __weak __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, __u32 offset, void *buffer__opt,
				   __u32 buffer__szk) __weak __ksym;

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __weak __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __weak __ksym;
extern void bpf_task_release(struct task_struct *p) __weak __ksym;
extern struct cgroup *bpf_cgroup_from_id(__u64 id) __weak __ksym;
extern void bpf_cgroup_release(struct cgroup *p) __weak __ksym;

extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

extern void *bpf_obj_new(__u64 local_type_id__k) __weak __ksym;
extern void bpf_obj_drop(void *p__alloc) __weak __ksym;
extern int bpf_list_push_front(struct bpf_list_head *head, struct bpf_list_node *node) __weak __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __weak __ksym;
extern int bpf_rbtree_add(struct bpf_rb_root *root, struct bpf_rb_node *node,
			  bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b)) __weak
	__ksym;

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ringbuf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

struct timed {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timed);
} timers SEC(".maps");

static __always_inline struct timed *timed_element(void)
{
	return bpf_map_lookup_elem(&timers, &(__u32){ 0 });
}

struct object {
	struct bpf_list_node node;
	int value;
};

private(LIST) struct bpf_spin_lock list_lock;
private(LIST) struct bpf_list_head list contains(object, node);

struct kept {
	struct object __kptr *object;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} kept_objects SEC(".maps");

static __always_inline struct kept *kept_element(void)
{
	return bpf_map_lookup_elem(&kept_objects, &(__u32){ 0 });
}

static __always_inline struct object *new_object(void)
{
	return bpf_obj_new(bpf_core_type_id_local(struct object));
}

struct leaf {
	struct bpf_rb_node node;
	int value;
};

private(TREE) struct bpf_spin_lock tree_lock;
private(TREE) struct bpf_rb_root tree contains(leaf, node);

private(LOCK) struct bpf_res_spin_lock lock;

/* The next element of the program's own stdout, or NULL. */
static __always_inline struct bpf_stream_elem *next_element(void)
{
	struct bpf_stream *stream = bpf_stream_get(BPF_STDOUT);

	return stream ? bpf_stream_next_elem(stream) : NULL;
}

#endif
