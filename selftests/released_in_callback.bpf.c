// SPDX-License-Identifier: GPL-2.0-only
/*
 * A callback must not release what its caller owns, as it may run any number of times, including zero. None
 * of these programs may load. released.bpf.c has similar valid ones.
 */
#include "released.h"

/* --- ring buffer records */

static int submit(__u32 index, struct bpf_dynptr *record)
{
	bpf_ringbuf_submit_dynptr(record, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int submit_in_callback(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *data;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	data = bpf_dynptr_data(&record, 0, 64);
	bpf_loop(1, submit, &record, 0);
	if (data)
		*data = 0x41414141;
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* If the callback does not run, the caller still has the record. */
SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int submit_in_callback_only(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_loop(1, submit, &record, 0);
	return 0;
}

static long submit_for_element(struct bpf_map *map, __u32 *key, __u64 *value, struct bpf_dynptr *record)
{
	bpf_ringbuf_discard_dynptr(record, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int discard_in_for_each(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_for_each_map_elem(&array, submit_for_element, &record, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* A clone shares the record of the dynptr that it was cloned from. */
SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int submit_clone_in_callback(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;
	__u64 *data;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	data = bpf_dynptr_slice_rdwr(&record, 0, NULL, 64);
	bpf_loop(1, submit, &clone, 0);
	if (data)
		*data = 0x41414141;
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* The clone is in the frame of the callback. */
static int submit_own_clone(__u32 index, struct bpf_dynptr *record)
{
	struct bpf_dynptr clone;

	bpf_dynptr_clone(record, &clone);
	bpf_ringbuf_submit_dynptr(&clone, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int submit_clone_of_callback(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_loop(1, submit_own_clone, &record, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

static __noinline void submit_in_function(struct bpf_dynptr *record)
{
	bpf_ringbuf_submit_dynptr(record, 0);
}

static int call_submit(__u32 index, struct bpf_dynptr *record)
{
	submit_in_function(record);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int submit_in_function_of_callback(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_loop(1, call_submit, &record, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

static int loop_over_submit(__u32 index, struct bpf_dynptr *record)
{
	bpf_loop(1, submit, record, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int submit_in_callback_of_callback(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_loop(1, loop_over_submit, &record, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* The record belongs to the outer callback. */
static int reserve_and_loop(__u32 index, void *ctx)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_loop(1, submit, &record, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int submit_in_inner_callback(struct __sk_buff *skb)
{
	bpf_loop(1, reserve_and_loop, NULL, 0);
	return 0;
}

/* A callback does not release its own record: the second run would overwrite it. */
static int reserve(__u32 index, struct bpf_dynptr *record)
{
	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, record);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int reserve_in_callback(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_loop(1, reserve, &record, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* A record without a dynptr. */
struct record_ctx {
	__u64 *record;
};

static int submit_record(__u32 index, struct record_ctx *ctx)
{
	if (ctx->record)
		bpf_ringbuf_submit(ctx->record, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int submit_memory_in_callback(struct __sk_buff *skb)
{
	struct record_ctx ctx = { .record = bpf_ringbuf_reserve(&ringbuf, 8, 0) };

	if (!ctx.record)
		return 0;
	bpf_loop(1, submit_record, &ctx, 0);
	bpf_ringbuf_submit(ctx.record, 0);
	return 0;
}

static int timer_keeps_record(void *map, __u32 *key, struct timed *timed)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	return 0;
}

SEC("tc") __requires(bpf_timer)
int record_kept_by_timer(struct __sk_buff *skb)
{
	struct timed *timed = timed_element();

	if (timed)
		bpf_timer_set_callback(&timed->timer, timer_keeps_record);
	return 0;
}

/* A global function does not know that the dynptr is of a record. */
__noinline int submit_in_global(struct bpf_dynptr *record)
{
	bpf_ringbuf_submit_dynptr(record, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the program with another message")
int submit_in_global_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	submit_in_global(&record);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

__noinline int submit_clone_in_global(struct bpf_dynptr *record)
{
	struct bpf_dynptr clone;

	bpf_dynptr_clone(record, &clone);
	bpf_ringbuf_submit_dynptr(&clone, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the program with another message")
int submit_clone_in_global_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	submit_clone_in_global(&record);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* --- objects of the kernel */

struct task_ctx {
	struct task_struct *task;
};

static int release_task(__u32 index, struct task_ctx *ctx)
{
	if (ctx->task)
		bpf_task_release(ctx->task);
	return 0;
}

SEC("syscall") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int task_released_in_callback(void *context)
{
	struct task_ctx ctx = { .task = bpf_task_from_pid(1) };

	if (!ctx.task)
		return 0;
	bpf_loop(1, release_task, &ctx, 0);
	bpf_task_release(ctx.task);
	return 0;
}

static __noinline void release_task_in_function(struct task_struct *task)
{
	bpf_task_release(task);
}

static long release_task_for_element(struct bpf_map *map, __u32 *key, __u64 *value,
				     struct task_ctx *ctx)
{
	if (ctx->task)
		release_task_in_function(ctx->task);
	return 0;
}

SEC("syscall") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int task_released_in_function_of_for_each(void *context)
{
	struct task_ctx ctx = { .task = bpf_task_from_pid(1) };

	if (!ctx.task)
		return 0;
	bpf_for_each_map_elem(&array, release_task_for_element, &ctx, 0);
	bpf_task_release(ctx.task);
	return 0;
}

/* A callback checks a pointer for NULL, and releases the task if it is not NULL. */
SEC("syscall") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int unchecked_task_released_in_callback(void *context)
{
	struct task_ctx ctx = { .task = bpf_task_from_pid(1) };

	bpf_loop(1, release_task, &ctx, 0);
	if (ctx.task)
		bpf_task_release(ctx.task);
	return 0;
}

struct cgroup_ctx {
	struct cgroup *cgroup;
};

static int release_cgroup(__u32 index, struct cgroup_ctx *ctx)
{
	if (ctx->cgroup)
		bpf_cgroup_release(ctx->cgroup);
	return 0;
}

SEC("syscall") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int cgroup_released_in_callback(void *context)
{
	struct cgroup_ctx ctx = { .cgroup = bpf_cgroup_from_id(1) };

	if (!ctx.cgroup)
		return 0;
	bpf_loop(1, release_cgroup, &ctx, 0);
	bpf_cgroup_release(ctx.cgroup);
	return 0;
}

struct socket_ctx {
	struct bpf_sock *sk;
};

static int release_socket(__u32 index, struct socket_ctx *ctx)
{
	if (ctx->sk)
		bpf_sk_release(ctx->sk);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int socket_released_in_callback(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct socket_ctx ctx;

	ctx.sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1 /* this network namespace */, 0);
	if (!ctx.sk)
		return 0;
	bpf_loop(1, release_socket, &ctx, 0);
	bpf_sk_release(ctx.sk);
	return 0;
}

/* --- objects of the program */

struct object_ctx {
	struct object *object;
};

static int drop_object(__u32 index, struct object_ctx *ctx)
{
	if (ctx->object)
		bpf_obj_drop(ctx->object);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int object_dropped_in_callback(struct __sk_buff *skb)
{
	struct object_ctx ctx = { .object = new_object() };

	if (!ctx.object)
		return 0;
	bpf_loop(1, drop_object, &ctx, 0);
	bpf_obj_drop(ctx.object);
	return 0;
}

static int put_object_into_map(__u32 index, struct object_ctx *ctx)
{
	struct kept *kept = kept_element();
	struct object *old;

	if (!kept || !ctx->object)
		return 0;
	old = bpf_kptr_xchg(&kept->object, ctx->object);
	if (old)
		bpf_obj_drop(old);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int object_put_into_map_in_callback(struct __sk_buff *skb)
{
	struct object_ctx ctx = { .object = new_object() };

	if (!ctx.object)
		return 0;
	bpf_loop(1, put_object_into_map, &ctx, 0);
	bpf_obj_drop(ctx.object);
	return 0;
}

static int put_object_into_list(__u32 index, struct object_ctx *ctx)
{
	if (!ctx->object)
		return 0;
	bpf_spin_lock(&list_lock);
	bpf_list_push_front(&list, &ctx->object->node);
	bpf_spin_unlock(&list_lock);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int object_put_into_list_in_callback(struct __sk_buff *skb)
{
	struct object_ctx ctx = { .object = new_object() };

	if (!ctx.object)
		return 0;
	bpf_loop(1, put_object_into_list, &ctx, 0);
	bpf_obj_drop(ctx.object);
	return 0;
}

/* --- elements and streams */

struct element_ctx {
	struct bpf_stream_elem *elem;
};

static int free_element(__u32 index, struct element_ctx *ctx)
{
	if (ctx->elem)
		bpf_stream_free_elem(ctx->elem);
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int element_freed_in_callback(void *context)
{
	struct element_ctx ctx = { .elem = next_element() };
	struct bpf_dynptr text;
	char *byte;

	if (!ctx.elem)
		return 0;
	bpf_dynptr_from_mem_slice(&ctx.elem->mem_slice, 0, &text);
	byte = bpf_dynptr_slice(&text, 0, NULL, 1);
	bpf_loop(1, free_element, &ctx, 0);
	if (byte)
		bpf_stream_printk(BPF_STDOUT, "%c", *byte);
	bpf_stream_free_elem(ctx.elem);
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int element_freed_in_callback_only(void *context)
{
	struct element_ctx ctx = { .elem = next_element() };

	if (ctx.elem)
		bpf_loop(1, free_element, &ctx, 0);
	return 0;
}

struct stream_ctx {
	struct bpf_stream *stream;
};

static int put_stream(__u32 index, struct stream_ctx *ctx)
{
	if (ctx->stream)
		bpf_prog_stream_put(ctx->stream);
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int stream_put_in_callback(void *context)
{
	struct stream_ctx ctx = { .stream = bpf_prog_stream_get(BPF_STDOUT, 1) };

	if (!ctx.stream)
		return 0;
	bpf_loop(1, put_stream, &ctx, 0);
	bpf_prog_stream_put(ctx.stream);
	return 0;
}

/* --- iterators */

static int destroy(__u32 index, struct bpf_iter_num *it)
{
	bpf_iter_num_destroy(it);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int iterator_destroyed_in_callback(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	bpf_loop(1, destroy, &it, 0);
	bpf_iter_num_destroy(&it);
	return 0;
}

static __noinline void destroy_in_function(struct bpf_iter_num *it)
{
	bpf_iter_num_destroy(it);
}

static int call_destroy(__u32 index, struct bpf_iter_num *it)
{
	destroy_in_function(it);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the caller, whose object the callback may have released, with another message")
int iterator_destroyed_in_function_of_callback(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	bpf_loop(1, call_destroy, &it, 0);
	bpf_iter_num_destroy(&it);
	return 0;
}

/* --- not references: RCU and preemption */

static int leave_rcu(__u32 index, void *ctx)
{
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int rcu_unlocked_in_callback(void *context)
{
	bpf_rcu_read_lock();
	bpf_loop(1, leave_rcu, NULL, 0);
	bpf_rcu_read_unlock();
	return 0;
}

/* Ended only for a while, but the pointer is no longer protected. */
struct parent_ctx {
	struct task_struct *parent;
};

static int leave_rcu_for_a_while(__u32 index, struct parent_ctx *ctx)
{
	bpf_rcu_read_unlock();
	bpf_rcu_read_lock();
	return 0;
}

SEC("syscall")
int rcu_pointer_used_after_callback(void *context)
{
	struct task_struct *task;
	struct parent_ctx ctx;

	bpf_rcu_read_lock();
	ctx.parent = bpf_get_current_task_btf()->real_parent;
	bpf_loop(1, leave_rcu_for_a_while, &ctx, 0);
	task = bpf_task_acquire(ctx.parent);
	bpf_rcu_read_unlock();
	if (task)
		bpf_task_release(task);
	return 0;
}

static int enable_preemption(__u32 index, void *ctx)
{
	bpf_preempt_enable();
	return 0;
}

SEC("syscall")
int preemption_enabled_in_callback(void *context)
{
	bpf_preempt_disable();
	bpf_loop(1, enable_preemption, NULL, 0);
	bpf_preempt_enable();
	return 0;
}

static int disable_preemption(__u32 index, void *ctx)
{
	bpf_preempt_disable();
	return 0;
}

SEC("syscall")
int preemption_disabled_in_callback(void *context)
{
	bpf_loop(1, disable_preemption, NULL, 0);
	bpf_preempt_enable();
	return 0;
}

/* --- locks and interrupts */

static bool unlock_in_order(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_spin_unlock(&tree_lock);
	return false;
}

SEC("tc")
int tree_unlocked_in_callback(struct __sk_buff *skb)
{
	struct leaf *leaf = bpf_obj_new(bpf_core_type_id_local(struct leaf));

	if (!leaf)
		return 0;
	bpf_spin_lock(&tree_lock);
	bpf_rbtree_add(&tree, &leaf->node, unlock_in_order);
	bpf_spin_unlock(&tree_lock);
	return 0;
}

static bool unlock_other_in_order(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_res_spin_unlock(&lock);
	return false;
}

SEC("tc")
int lock_released_in_order_of_tree(struct __sk_buff *skb)
{
	struct leaf *leaf = bpf_obj_new(bpf_core_type_id_local(struct leaf));

	if (!leaf)
		return 0;
	bpf_spin_lock(&tree_lock);
	if (bpf_res_spin_lock(&lock)) {
		bpf_spin_unlock(&tree_lock);
		bpf_obj_drop(leaf);
		return 0;
	}
	bpf_rbtree_add(&tree, &leaf->node, unlock_other_in_order);
	bpf_res_spin_unlock(&lock);
	bpf_spin_unlock(&tree_lock);
	return 0;
}

struct flags_ctx {
	unsigned long flags;
};

static __noinline void restore_in_function(unsigned long *flags)
{
	bpf_local_irq_restore(flags);
}

static int call_restore(__u32 index, struct flags_ctx *ctx)
{
	restore_in_function(&ctx->flags);
	return 0;
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int irqs_restored_in_function_of_callback(struct __sk_buff *skb)
{
	struct flags_ctx ctx;

	bpf_local_irq_save(&ctx.flags);
	bpf_loop(1, call_restore, &ctx, 0);
	bpf_local_irq_restore(&ctx.flags);
	return 0;
}

static long restore_for_element(struct bpf_map *map, __u32 *key, __u64 *value, struct flags_ctx *ctx)
{
	bpf_local_irq_restore(&ctx->flags);
	return 0;
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int irqs_restored_in_for_each(struct __sk_buff *skb)
{
	struct flags_ctx ctx;

	bpf_local_irq_save(&ctx.flags);
	bpf_for_each_map_elem(&array, restore_for_element, &ctx, 0);
	bpf_local_irq_restore(&ctx.flags);
	return 0;
}

/* The callback saves flags in addition to its caller's, and restores the wrong ones. */
static int exchange_flags(__u32 index, struct flags_ctx *ctx)
{
	bpf_local_irq_restore(&ctx->flags);
	bpf_local_irq_save(&ctx->flags);
	return 0;
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int irqs_restored_for_a_while_in_callback(struct __sk_buff *skb)
{
	struct flags_ctx ctx;

	bpf_local_irq_save(&ctx.flags);
	bpf_loop(1, exchange_flags, &ctx, 0);
	bpf_local_irq_restore(&ctx.flags);
	return 0;
}
