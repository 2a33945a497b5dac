// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function may release what its caller owns, which then neither may use: none of these programs may load.
 * released.bpf.c has similar valid ones.
 */
#include "released.h"

static __noinline void submit(struct bpf_dynptr *record)
{
	bpf_ringbuf_submit_dynptr(record, 0);
}

SEC("tc")
int data_of_submitted_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *data;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	data = bpf_dynptr_data(&record, 0, 64);
	submit(&record);
	if (data)
		*data = 0x41414141;
	return 0;
}

SEC("tc")
int slice_of_submitted_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *data;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	data = bpf_dynptr_slice(&record, 0, NULL, 64);
	submit(&record);
	return data ? *data : 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int clone_of_submitted_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	submit(&record);
	return bpf_dynptr_size(&clone);
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int record_of_submitted_clone(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	submit(&clone);
	return bpf_dynptr_size(&record);
}

SEC("tc") __not_in_mainline("its verifier rejects the program with another message")
int clone_submitted_after_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	submit(&record);
	bpf_ringbuf_discard_dynptr(&clone, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier rejects the program with another message")
int record_submitted_twice(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	submit(&record);
	submit(&record);
	return 0;
}

/* The clone is in the frame of the function, which submits its caller's record. */
static __noinline int submit_and_use_clone(struct bpf_dynptr *record)
{
	struct bpf_dynptr clone;

	bpf_dynptr_clone(record, &clone);
	bpf_ringbuf_submit_dynptr(record, 0);
	return bpf_dynptr_size(&clone);
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int clone_in_frame_of_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	return submit_and_use_clone(&record);
}

/* The function submits by its own clone; its caller still has the record, and a slice. */
static __noinline int submit_own_clone(struct bpf_dynptr *record)
{
	struct bpf_dynptr clone;

	bpf_dynptr_clone(record, &clone);
	bpf_ringbuf_submit_dynptr(&clone, 0);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int record_of_clone_in_frame_of_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	submit_own_clone(&record);
	return bpf_dynptr_size(&record);
}

SEC("tc")
int slice_after_clone_in_frame_of_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *data;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	data = bpf_dynptr_slice_rdwr(&record, 0, NULL, 64);
	submit_own_clone(&record);
	if (data)
		*data = 0x41414141;
	return 0;
}

/* Two frames between the clone and the release. */
static __noinline void submit_deeper(struct bpf_dynptr *record)
{
	submit(record);
}

static __noinline int clone_and_submit_deeper(struct bpf_dynptr *record)
{
	struct bpf_dynptr clone;
	__u64 *data;

	bpf_dynptr_clone(record, &clone);
	data = bpf_dynptr_slice(&clone, 0, NULL, 8);
	submit_deeper(record);
	return data ? *data : 0;
}

SEC("tc")
int slice_of_clone_between_frames(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	return clone_and_submit_deeper(&record);
}

/* Only one path submits. */
static __noinline void submit_some(struct bpf_dynptr *record, int really)
{
	if (really)
		bpf_ringbuf_submit_dynptr(record, 0);
}

SEC("tc") __not_in_mainline("its verifier rejects the program with another message")
int record_submitted_on_one_path(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	submit_some(&record, skb->len > 100);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* The function's frame and its dynptr no longer exist, but the record does. */
static __noinline int reserve_and_return(void)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	return 0;
}

SEC("tc")
int record_lost_with_frame(struct __sk_buff *skb)
{
	reserve_and_return();
	return 0;
}

static __noinline void release(struct task_struct *task)
{
	bpf_task_release(task);
}

SEC("syscall") __not_in_mainline("its verifier rejects the program with another message")
int task_released_twice(void *context)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (!task)
		return 0;
	release(task);
	bpf_task_release(task);
	return 0;
}

static __noinline void destroy(struct bpf_iter_num *it)
{
	bpf_iter_num_destroy(it);
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int iterator_used_after_destroy(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	destroy(&it);
	return bpf_iter_num_next(&it) ? 1 : 0;
}
