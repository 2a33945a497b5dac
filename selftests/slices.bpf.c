// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slices and data pointers of a dynptr share the reference that keeps its memory. Several of them, of one
 * object or of several, may be arguments of one call. slices_rejected.bpf.c has the invalid programs.
 */
#include "released.h"

extern int bpf_dynptr_from_skb(struct __sk_buff *s, __u64 flags, struct bpf_dynptr *ptr__uninit) __weak
	__ksym;

static __be32 values[4];

/* --- two arguments of a helper */

SEC("tc")
int two_slices_in_one_call(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 pair[2] = { 0, 2 };
	__be32 *first, *second;
	int sum = 0;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_write(&record, 0, &pair, sizeof(pair), 0);
	first = bpf_dynptr_slice(&record, 0, NULL, 8);
	second = bpf_dynptr_slice(&record, 8, NULL, 8);
	if (first && second)
		sum = bpf_csum_diff(first, 8, second, 8, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return sum;
}

SEC("tc")
int two_data_pointers_in_one_call(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__be32 *first, *second;
	int sum = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	first = bpf_dynptr_data(&record, 0, 8);
	second = bpf_dynptr_data(&record, 8, 8);
	if (first && second) {
		first[0] = first[1] = second[1] = 0;
		second[0] = 3;
		sum = bpf_csum_diff(first, 8, second, 8, 0);
	}
	bpf_ringbuf_discard_dynptr(&record, 0);
	return sum;
}

SEC("tc")
int one_slice_twice_in_one_call(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__be32 *slice;
	int sum = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice_rdwr(&record, 0, NULL, 8);
	if (slice) {
		slice[0] = slice[1] = 5;
		sum = bpf_csum_diff(slice, 4, slice, 8, 0);
	}
	bpf_ringbuf_discard_dynptr(&record, 0);
	return sum;
}

SEC("tc")
int slice_and_data_in_one_call(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__be32 *slice, *data;
	int sum = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	data = bpf_dynptr_data(&record, 0, 8);
	slice = bpf_dynptr_slice(&record, 0, NULL, 4);
	if (data && slice) {
		data[0] = data[1] = 7;
		sum = bpf_csum_diff(slice, 4, data, 8, 0);
	}
	bpf_ringbuf_discard_dynptr(&record, 0);
	return sum;
}

SEC("tc")
int slices_of_two_records_in_one_call(struct __sk_buff *skb)
{
	struct bpf_dynptr one, other;
	__be32 *first, *second;
	int sum = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &one);
	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &other);
	first = bpf_dynptr_slice_rdwr(&one, 0, NULL, 4);
	second = bpf_dynptr_slice_rdwr(&other, 0, NULL, 4);
	if (first && second) {
		*first = 0;
		*second = 11;
		sum = bpf_csum_diff(first, 4, second, 4, 0);
	}
	bpf_ringbuf_discard_dynptr(&other, 0);
	bpf_ringbuf_discard_dynptr(&one, 0);
	return sum;
}

SEC("tc")
int slices_of_record_and_clone_in_one_call(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;
	__be32 *first, *second;
	int sum = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	first = bpf_dynptr_slice_rdwr(&record, 0, NULL, 4);
	second = bpf_dynptr_slice_rdwr(&clone, 4, NULL, 4);
	if (first && second) {
		*first = 0;
		*second = 13;
		sum = bpf_csum_diff(first, 4, second, 4, 0);
	}
	bpf_ringbuf_submit_dynptr(&clone, 0);
	return sum;
}

/* Records without a dynptr also have references. */
SEC("tc")
int two_records_in_one_call(struct __sk_buff *skb)
{
	__be32 *first, *second;
	int sum = -1;

	first = bpf_ringbuf_reserve(&ringbuf, 8, 0);
	if (!first)
		return -2;
	second = bpf_ringbuf_reserve(&ringbuf, 8, 0);
	if (second) {
		first[0] = 0;
		second[0] = 17;
		sum = bpf_csum_diff(first, 4, second, 4, 0);
		bpf_ringbuf_discard(second, 0);
	}
	bpf_ringbuf_discard(first, 0);
	return sum;
}

SEC("tc")
int record_and_slice_of_packet_in_one_call(struct __sk_buff *skb)
{
	struct bpf_dynptr record, packet;
	__be32 *first, *second, buffer[1];
	int sum = -1;

	bpf_dynptr_from_skb(skb, 0, &packet);
	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	first = bpf_dynptr_slice(&packet, 26, buffer, sizeof(buffer));
	second = bpf_dynptr_slice_rdwr(&record, 0, NULL, 4);
	if (first && second) {
		*second = *first + 43;
		sum = bpf_csum_diff(first, 4, second, 4, 0);
	}
	bpf_ringbuf_discard_dynptr(&record, 0);
	return sum;
}

/* A helper that writes to one of them. */
SEC("tc")
int slice_read_into_data(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice, *data;
	int ret = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice_rdwr(&record, 0, NULL, 8);
	data = bpf_dynptr_data(&record, 8, 8);
	if (slice && data) {
		*slice = 19;
		if (!bpf_probe_read_kernel(data, 8, slice))
			ret = *data;
	}
	bpf_ringbuf_discard_dynptr(&record, 0);
	return ret;
}

/* A record and its slice, passed to a helper together with its dynptr. */
SEC("tc")
int slice_written_into_its_own_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice;
	int ret = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice_rdwr(&record, 0, NULL, 8);
	if (slice) {
		*slice = 23;
		bpf_dynptr_write(&record, 8, slice, 8, 0);
		slice = bpf_dynptr_slice(&record, 8, NULL, 8);
		if (slice)
			ret = *slice;
	}
	bpf_ringbuf_discard_dynptr(&record, 0);
	return ret;
}

/* Two slices of one record, each copied to another record. */
SEC("tc")
int slice_output(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *one, *other;
	int ret = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	one = bpf_dynptr_slice(&record, 0, NULL, 8);
	other = bpf_dynptr_slice(&record, 8, NULL, 8);
	if (one && other)
		ret = bpf_ringbuf_output(&ringbuf, one, 8, 0) ?:
		      bpf_ringbuf_output(&ringbuf, other, 8, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return ret;
}

/* --- two elements */

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int slices_of_two_elements_in_one_call(void *ctx)
{
	struct bpf_stream_elem *one, *other;
	struct bpf_dynptr text, more;
	char *first, *second, copy[1];
	int ret = -1;

	bpf_stream_printk(BPF_STDOUT, "a");
	bpf_stream_printk(BPF_STDOUT, "b");
	one = next_element();
	if (!one)
		return -2;
	other = next_element();
	if (!other) {
		bpf_stream_free_elem(one);
		return -3;
	}
	bpf_dynptr_from_mem_slice(&one->mem_slice, 0, &text);
	bpf_dynptr_from_mem_slice(&other->mem_slice, 0, &more);
	first = bpf_dynptr_slice(&text, 0, NULL, 1);
	second = bpf_dynptr_slice(&more, 0, NULL, 1);
	if (first && second) {
		bpf_probe_read_kernel(copy, 1, first);
		ret = *second - copy[0];
	}
	bpf_stream_free_elem(one);
	/* the other one is still valid */
	if (second)
		ret += *second;
	bpf_stream_free_elem(other);
	return ret;
}

/* --- not affected by a release */

SEC("tc")
int slice_of_other_record_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr one, other;
	__u64 *slice;
	int ret = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &one);
	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &other);
	slice = bpf_dynptr_slice_rdwr(&other, 0, NULL, 8);
	bpf_ringbuf_submit_dynptr(&one, 0);
	if (slice) {
		*slice = 31;
		ret = *slice;
	}
	bpf_ringbuf_discard_dynptr(&other, 0);
	return ret;
}

/* The dynptr was overwritten, but the record can still be submitted by its clone. */
SEC("tc")
int record_by_clone(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone, again;
	__u64 *slice;
	int ret = -1;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	bpf_dynptr_clone(&clone, &again);
	slice = bpf_dynptr_slice_rdwr(&again, 0, NULL, 8);
	if (slice) {
		*slice = 37;
		slice = bpf_dynptr_slice(&record, 0, NULL, 8);
		if (slice)
			ret = *slice;
	}
	bpf_ringbuf_discard_dynptr(&again, 0);
	return ret;
}

/* A dynptr of a map value has no reference: the release of a record does not end it. */
SEC("tc")
int slice_of_value_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr record, value;
	__be32 *slice;
	int ret = -1;

	bpf_dynptr_from_mem(values, sizeof(values), 0, &value);
	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice_rdwr(&value, 4, NULL, 4);
	bpf_ringbuf_submit_dynptr(&record, 0);
	if (slice) {
		*slice = 41;
		ret = *slice;
	}
	return ret;
}
