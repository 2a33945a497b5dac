// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slices, data pointers and clones end with the reference that keeps their memory. None of these programs
 * may load; slices.bpf.c has similar valid ones, and released_in_function.bpf.c has programs with several
 * frames.
 */
#include "released.h"

/* --- after submit and discard */

SEC("tc")
int slice_read_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice(&record, 0, NULL, 8);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return slice ? *slice : 0;
}

SEC("tc")
int slice_written_after_discard(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice_rdwr(&record, 0, NULL, 8);
	bpf_ringbuf_discard_dynptr(&record, 0);
	if (slice)
		*slice = 1;
	return 0;
}

SEC("tc")
int slice_of_clone_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;
	__u64 *slice;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	slice = bpf_dynptr_slice_rdwr(&clone, 0, NULL, 8);
	bpf_ringbuf_submit_dynptr(&record, 0);
	if (slice)
		*slice = 1;
	return 0;
}

SEC("tc")
int data_of_record_after_submit_of_clone(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;
	__u64 *data;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	data = bpf_dynptr_data(&record, 0, 8);
	bpf_ringbuf_submit_dynptr(&clone, 0);
	if (data)
		*data = 1;
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int clone_of_clone_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone, again;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	bpf_dynptr_clone(&clone, &again);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return bpf_dynptr_size(&again);
}

/* The NULL check comes after the release. */
SEC("tc")
int unchecked_slice_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice(&record, 0, NULL, 8);
	bpf_ringbuf_submit_dynptr(&record, 0);
	barrier_var(slice);
	if (!slice)
		return 0;
	return *slice;
}

/* A slice on the stack also ends. */
SEC("tc")
int spilled_slice_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *volatile spilled;
	__u64 *slice;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice(&record, 0, NULL, 8);
	if (!slice) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return 0;
	}
	spilled = slice;
	bpf_ringbuf_submit_dynptr(&record, 0);
	return *spilled;
}

/* On one of two paths; the path that discards is verified second. */
SEC("tc")
int slice_after_discard_on_one_path(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice;
	int ret;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice(&record, 0, NULL, 8);
	if (!slice) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return 0;
	}
	if (skb->len > 100) {
		ret = *slice;
		bpf_ringbuf_submit_dynptr(&record, 0);
	} else {
		bpf_ringbuf_submit_dynptr(&record, 0);
		ret = *slice;
	}
	return ret;
}

SEC("tc") __not_in_mainline("its verifier rejects the program with another message")
int first_slice_after_submit_of_its_record(struct __sk_buff *skb)
{
	struct bpf_dynptr one, other;
	__be32 *first, *second;
	int sum = 0;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &one);
	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &other);
	first = bpf_dynptr_slice(&one, 0, NULL, 8);
	second = bpf_dynptr_slice(&other, 0, NULL, 8);
	bpf_ringbuf_submit_dynptr(&one, 0);
	if (first && second)
		sum = bpf_csum_diff(first, 8, second, 8, 0);
	bpf_ringbuf_discard_dynptr(&other, 0);
	return sum;
}

/* The record is released through its dynptr only. */
SEC("tc")
int slice_submitted(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice_rdwr(&record, 0, NULL, 8);
	if (slice)
		bpf_ringbuf_submit(slice, 0);
	else
		bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int data_submitted(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *data;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	data = bpf_dynptr_data(&record, 0, 8);
	if (data)
		bpf_ringbuf_submit(data, 0);
	else
		bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* The record has a reference, but is not an object. */
extern struct bpf_cpumask *bpf_cpumask_acquire(struct bpf_cpumask *cpumask) __weak __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *cpumask) __weak __ksym;

SEC("syscall") __not_in_mainline("its verifier rejects the program with another message")
int data_released_as_cpumask(void *ctx)
{
	struct bpf_dynptr record;
	void *data;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 1024, 0, &record);
	data = bpf_dynptr_data(&record, 0, 1024);
	if (data)
		bpf_cpumask_release(data);
	else
		bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

SEC("syscall") __not_run_in_mainline("it accepts any memory as an object to acquire or release, and the reference count warns")
int record_released_as_cpumask(void *ctx)
{
	void *record = bpf_ringbuf_reserve(&ringbuf, 1024, 0);

	if (record)
		bpf_cpumask_release(record);
	return 0;
}

SEC("syscall") __not_run_in_mainline("it accepts any memory as an object to acquire or release, and the reference count warns")
int stack_acquired_as_cpumask(void *ctx)
{
	__u64 on_stack[32] = {};
	struct bpf_cpumask *mask;

	mask = bpf_cpumask_acquire((void *)on_stack);
	if (mask)
		bpf_cpumask_release(mask);
	return 0;
}

/* --- elements */

/* No allocated object has a slice of memory for a dynptr, whatever the name of its type. */
struct own_elem {
	struct bpf_mem_slice mem_slice;
};

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int mem_slice_of_allocated_object(void *ctx)
{
	struct own_elem *elem = bpf_obj_new(bpf_core_type_id_local(struct own_elem));
	struct bpf_dynptr text;

	if (!elem)
		return 0;
	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	bpf_obj_drop(elem);
	return bpf_dynptr_size(&text);
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int mem_slice_on_stack(void *ctx)
{
	struct bpf_mem_slice slice = { .ptr = ctx, .len = 8 };
	struct bpf_dynptr text;

	return bpf_dynptr_from_mem_slice(&slice, 0, &text);
}

/* A record's memory is not a slice, although it has a reference. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int mem_slice_in_record(void *ctx)
{
	struct bpf_mem_slice *slice = bpf_ringbuf_reserve(&ringbuf, sizeof(*slice), 0);
	struct bpf_dynptr text;

	if (!slice)
		return 0;
	slice->ptr = ctx;
	slice->len = 8;
	bpf_dynptr_from_mem_slice(slice, 0, &text);
	bpf_ringbuf_discard(slice, 0);
	return 0;
}

/* Slices and clones of two elements; the first element is freed. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int clone_of_first_element_after_free(void *ctx)
{
	struct bpf_stream_elem *one, *other;
	struct bpf_dynptr text, more, clone;
	int size;

	one = next_element();
	if (!one)
		return 0;
	other = next_element();
	if (!other) {
		bpf_stream_free_elem(one);
		return 0;
	}
	bpf_dynptr_from_mem_slice(&one->mem_slice, 0, &text);
	bpf_dynptr_from_mem_slice(&other->mem_slice, 0, &more);
	bpf_dynptr_clone(&text, &clone);
	bpf_stream_free_elem(one);
	size = bpf_dynptr_size(&more);
	size += bpf_dynptr_size(&clone);
	bpf_stream_free_elem(other);
	return size;
}

static __noinline int clone_and_free(struct bpf_stream_elem *elem, struct bpf_dynptr *text)
{
	struct bpf_dynptr clone;
	char *byte;

	bpf_dynptr_clone(text, &clone);
	byte = bpf_dynptr_slice(&clone, 0, NULL, 1);
	bpf_stream_free_elem(elem);
	return byte ? *byte : 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int slice_of_clone_in_frame_of_function_after_free(void *ctx)
{
	struct bpf_stream_elem *elem = next_element();
	struct bpf_dynptr text;

	if (!elem)
		return 0;
	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	return clone_and_free(elem, &text);
}
