// SPDX-License-Identifier: GPL-2.0-only
/* Several arguments with a reference in one call of a helper, which releases none of them. */
#include "selftest.h"

extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer,
			      __u32 buffer__szk) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ringbuf SEC(".maps");

SEC("tc")
int two_slices_of_one_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__be32 *first, *second;
	int sum = 0;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_write(&record, 0, "12345678abcdefgh", 16, 0);
	first = bpf_dynptr_slice(&record, 0, NULL, 8);
	second = bpf_dynptr_slice(&record, 8, NULL, 8);
	if (first && second)
		sum = bpf_csum_diff(first, 8, second, 8, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return sum != 0;
}

SEC("tc")
int two_data_pointers_of_one_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__be32 *first, *second;
	int sum = 0;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	bpf_dynptr_write(&record, 0, "12345678abcdefgh", 16, 0);
	first = bpf_dynptr_data(&record, 0, 8);
	second = bpf_dynptr_data(&record, 8, 8);
	if (first && second)
		sum = bpf_csum_diff(first, 8, second, 8, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return sum != 0;
}

SEC("tc")
int two_records(struct __sk_buff *skb)
{
	__u32 *first = bpf_ringbuf_reserve(&ringbuf, 8, 0), *second;
	int sum;

	if (!first)
		return 0;
	second = bpf_ringbuf_reserve(&ringbuf, 8, 0);
	if (!second) {
		bpf_ringbuf_discard(first, 0);
		return 0;
	}
	first[0] = 1;
	first[1] = 2;
	second[0] = 3;
	second[1] = 4;
	sum = bpf_csum_diff(first, 8, second, 8, 0);
	bpf_ringbuf_discard(second, 0);
	bpf_ringbuf_discard(first, 0);
	return sum != 0;
}
