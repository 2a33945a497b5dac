// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions and callbacks may use what their caller owns; functions may also release it, and callbacks may
 * release what they acquired. These programs load and run: released_in_callback.bpf.c and
 * released_in_function.bpf.c have the invalid ones.
 */
#include "released.h"

/* --- callbacks use what the caller owns */

static int write_record(__u32 index, struct bpf_dynptr *record)
{
	__u64 *data = bpf_dynptr_data(record, 0, 8);

	if (data)
		*data += index + 1;
	return 0;
}

SEC("tc")
int record_written_in_callback(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *data;
	int sum = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	data = bpf_dynptr_data(&record, 0, 64);
	if (data)
		*data = 0;
	bpf_loop(3, write_record, &record, 0);
	if (data)
		sum = *data;
	bpf_ringbuf_discard_dynptr(&record, 0);
	return sum;
}

static int clone_and_write(__u32 index, struct bpf_dynptr *record)
{
	struct bpf_dynptr clone;
	__u64 *data;

	bpf_dynptr_clone(record, &clone);
	data = bpf_dynptr_slice_rdwr(&clone, 0, NULL, 8);
	if (data)
		*data = index + 40;
	return 0;
}

SEC("tc")
int record_cloned_in_callback(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *data;
	int last = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_loop(3, clone_and_write, &record, 0);
	data = bpf_dynptr_slice(&record, 0, NULL, 8);
	if (data)
		last = *data;
	bpf_ringbuf_discard_dynptr(&record, 0);
	return last;
}

/* --- callbacks release what they acquired */

static int reserve_and_submit(__u32 index, int *submitted)
{
	struct bpf_dynptr record, clone;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 8, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	*submitted += !bpf_dynptr_write(&clone, 0, &index, sizeof(index), 0);
	bpf_ringbuf_submit_dynptr(&clone, 0);
	return 0;
}

SEC("tc")
int own_record_submitted_in_callback(struct __sk_buff *skb)
{
	int submitted = 0;

	bpf_loop(3, reserve_and_submit, &submitted, 0);
	return submitted;
}

static __noinline void submit_in_function(struct bpf_dynptr *record)
{
	bpf_ringbuf_submit_dynptr(record, 0);
}

static int reserve_and_have_submitted(__u32 index, int *submitted)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 8, 0, &record);
	*submitted += !bpf_dynptr_write(&record, 0, &index, sizeof(index), 0);
	submit_in_function(&record);
	return 0;
}

SEC("tc")
int own_record_submitted_in_function_of_callback(struct __sk_buff *skb)
{
	int submitted = 0;

	bpf_loop(3, reserve_and_have_submitted, &submitted, 0);
	return submitted;
}

static int loop_in_loop(__u32 index, int *submitted)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 8, 0, &record);
	bpf_loop(2, reserve_and_submit, submitted, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int records_of_nested_callbacks(struct __sk_buff *skb)
{
	int submitted = 0;

	bpf_loop(2, loop_in_loop, &submitted, 0);
	return submitted;
}

static int expired(void *map, __u32 *key, struct timed *timed)
{
	struct bpf_dynptr record;
	__u64 *data;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 8, 0, &record);
	data = bpf_dynptr_data(&record, 0, 8);
	if (data)
		*data = 1;
	submit_in_function(&record);
	bpf_stream_printk(BPF_STDOUT, "submitted in %s context\n", context());
	return 0;
}

SEC("syscall") __requires(bpf_timer)
__wait_stdout(29)
int own_record_submitted_in_timer(void *ctx)
{
	struct timed *timed = timed_element();

	if (!timed)
		return -1;
	return bpf_timer_init(&timed->timer, &timers, 1 /* CLOCK_MONOTONIC */) ?:
		       bpf_timer_set_callback(&timed->timer, expired) ?:
		       bpf_timer_start(&timed->timer, 0, 0);
}

static int acquire_and_release(__u32 index, int *found)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (!task)
		return 0;
	*found += task->pid;
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int own_task_released_in_callback(void *context)
{
	int found = 0;

	bpf_loop(3, acquire_and_release, &found, 0);
	return found;
}

struct task_ctx {
	struct task_struct *task;
	int found;
};

/* The callback has its own reference of the same task. */
static int acquire_again(__u32 index, struct task_ctx *ctx)
{
	struct task_struct *task;

	if (!ctx->task)
		return 0;
	task = bpf_task_acquire(ctx->task);
	if (!task)
		return 0;
	ctx->found += task->pid;
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int task_acquired_again_in_callback(void *context)
{
	struct task_ctx ctx = { .task = bpf_task_from_pid(1) };

	if (!ctx.task)
		return -1;
	bpf_loop(3, acquire_again, &ctx, 0);
	bpf_task_release(ctx.task);
	return ctx.found;
}

static int new_and_drop(__u32 index, int *sum)
{
	struct object *object = new_object();

	if (!object)
		return 0;
	object->value = index;
	*sum += object->value;
	bpf_obj_drop(object);
	return 0;
}

SEC("tc")
int own_object_dropped_in_callback(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_loop(4, new_and_drop, &sum, 0);
	return sum;
}

/* A callback checks a pointer of its caller for NULL. If it is NULL there is nothing to release. */
struct object_ctx {
	struct object *object;
	int seen;
};

static int look_at_object(__u32 index, struct object_ctx *ctx)
{
	if (ctx->object) {
		ctx->object->value = index;
		ctx->seen++;
	}
	return 0;
}

SEC("tc")
int object_checked_in_callback(struct __sk_buff *skb)
{
	struct object_ctx ctx = { .object = new_object() };

	bpf_loop(3, look_at_object, &ctx, 0);
	if (ctx.object)
		bpf_obj_drop(ctx.object);
	return ctx.seen;
}

static int new_into_list(__u32 index, void *ctx)
{
	struct object *object = new_object();

	if (!object)
		return 0;
	object->value = index;
	bpf_spin_lock(&list_lock);
	bpf_list_push_front(&list, &object->node);
	bpf_spin_unlock(&list_lock);
	return 0;
}

static int drop_from_list(__u32 index, int *sum)
{
	struct bpf_list_node *node;
	struct object *object;

	bpf_spin_lock(&list_lock);
	node = bpf_list_pop_front(&list);
	bpf_spin_unlock(&list_lock);
	if (!node)
		return 1;
	object = container_of(node, struct object, node);
	*sum += object->value;
	bpf_obj_drop(object);
	return 0;
}

SEC("tc")
int objects_over_list_in_callbacks(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_loop(4, new_into_list, NULL, 0);
	bpf_loop(10, drop_from_list, &sum, 0);
	return sum;
}

static int take_element(__u32 index, int *bytes)
{
	struct bpf_stream_elem *elem = next_element();
	struct bpf_dynptr text;

	if (!elem)
		return 1;
	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	*bytes += bpf_dynptr_size(&text);
	bpf_stream_free_elem(elem);
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int own_element_freed_in_callback(void *context)
{
	int bytes = 0;

	bpf_stream_printk(BPF_STDOUT, "first\n");
	bpf_stream_printk(BPF_STDOUT, "second\n");
	bpf_loop(10, take_element, &bytes, 0);
	return bytes;
}

static int iterate(__u32 index, int *sum)
{
	int i;

	bpf_for(i, 0, 5)
		*sum += 1;
	return 0;
}

SEC("tc")
int own_iterator_in_callback(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_loop(3, iterate, &sum, 0);
	return sum;
}

/* The callback reads numbers from its caller's iterator. */
struct iterator_ctx {
	struct bpf_iter_num it;
	int sum;
};

static int next_number(__u32 index, struct iterator_ctx *ctx)
{
	int *number = bpf_iter_num_next(&ctx->it);

	if (!number)
		return 1;
	ctx->sum += *number;
	return 0;
}

SEC("tc")
int iterator_of_caller_advanced_in_callback(struct __sk_buff *skb)
{
	struct iterator_ctx ctx = {};

	bpf_iter_num_new(&ctx.it, 1, 5);
	bpf_loop(10, next_number, &ctx, 0);
	bpf_iter_num_destroy(&ctx.it);
	return ctx.sum;
}

/* --- regions of a callback */

static int in_and_out_of_regions(__u32 index, int *sum)
{
	unsigned long flags;

	bpf_rcu_read_lock();
	bpf_preempt_disable();
	bpf_local_irq_save(&flags);
	*sum += index;
	bpf_local_irq_restore(&flags);
	bpf_preempt_enable();
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int own_regions_in_callback(void *context)
{
	int sum = 0;

	bpf_loop(4, in_and_out_of_regions, &sum, 0);
	return sum;
}

/* Also with interrupts off in the caller. */
SEC("syscall")
int own_regions_in_callback_with_irqs_off(void *context)
{
	unsigned long flags;
	int sum = 0;

	bpf_local_irq_save(&flags);
	bpf_loop(4, in_and_out_of_regions, &sum, 0);
	bpf_local_irq_restore(&flags);
	return sum;
}

/* --- functions release what their caller owns */

SEC("tc")
int record_submitted_in_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	int err;

	err = bpf_ringbuf_reserve_dynptr(&ringbuf, 8, 0, &record);
	submit_in_function(&record);
	return err;
}

static __noinline void reserve_in_function(struct bpf_dynptr *record)
{
	bpf_ringbuf_reserve_dynptr(&ringbuf, 8, 0, record);
}

SEC("tc")
int record_reserved_in_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *data;
	int ret = -1;

	reserve_in_function(&record);
	data = bpf_dynptr_data(&record, 0, 8);
	if (data) {
		*data = 7;
		ret = *data;
	}
	bpf_ringbuf_submit_dynptr(&record, 0);
	return ret;
}

static __noinline int release_in_function(struct task_struct *task)
{
	int pid = task->pid;

	bpf_task_release(task);
	return pid;
}

SEC("syscall")
int task_released_in_function(void *context)
{
	struct task_struct *task = bpf_task_from_pid(1);

	return task ? release_in_function(task) : -1;
}

static __noinline void free_in_function(struct bpf_stream_elem *elem)
{
	bpf_stream_free_elem(elem);
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int element_freed_in_function(void *context)
{
	struct bpf_stream_elem *elem;
	struct bpf_dynptr text;
	int size;

	bpf_stream_printk(BPF_STDOUT, "text\n");
	elem = next_element();
	if (!elem)
		return -1;
	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	size = bpf_dynptr_size(&text);
	free_in_function(elem);
	return size;
}

static __noinline void destroy_in_function(struct bpf_iter_num *it)
{
	bpf_iter_num_destroy(it);
}

SEC("tc")
int iterator_destroyed_in_function(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *number, sum = 0;

	bpf_iter_num_new(&it, 1, 5);
	while ((number = bpf_iter_num_next(&it)))
		sum += *number;
	destroy_in_function(&it);
	return sum;
}

/* A global function reads a record of its caller. */
__noinline int first_byte(struct bpf_dynptr *record)
{
	__u8 byte = 0;

	bpf_dynptr_read(&byte, 1, record, 0, 0);
	return byte;
}

SEC("tc")
int record_read_in_global_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u8 *data;
	int ret;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 8, 0, &record);
	data = bpf_dynptr_data(&record, 0, 8);
	if (data)
		*data = 9;
	ret = first_byte(&record);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return ret;
}
