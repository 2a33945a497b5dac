// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory behind a dynptr may begin at any address: here at offset 13, which the verifier does not compare
 * with the size of the access. On arm64 a misaligned LDAR or STLR faults in the kernel, so none of these
 * programs may load.
 */
#include "selftest.h"
#include "acqrel.h"

extern int bpf_dynptr_from_skb(struct __sk_buff *s, __u64 flags,
			       struct bpf_dynptr *ptr__uninit) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer__opt,
			      __u32 buffer__szk) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, __u32 offset, void *buffer__opt,
				   __u32 buffer__szk) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[60]);
} values SEC(".maps");

SEC("tc") __not_run_in_mainline("it takes them at odd addresses: arm64 then dies of a misaligned LDAR, so that is not tried")
int load_from_read_only_slice(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u64 buffer;
	void *at;

	bpf_dynptr_from_skb(skb, 0, &packet);
	at = bpf_dynptr_slice(&packet, 13, &buffer, sizeof(buffer));
	return at ? load_acquire(u64, at, 0) : 0;
}

SEC("tc") __not_run_in_mainline("it takes them at odd addresses: arm64 then dies of a misaligned LDAR, so that is not tried")
int load_from_slice(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u64 buffer;
	void *at;

	bpf_dynptr_from_skb(skb, 0, &packet);
	at = bpf_dynptr_slice_rdwr(&packet, 13, &buffer, sizeof(buffer));
	return at ? load_acquire(u64, at, 0) : 0;
}

SEC("tc") __not_run_in_mainline("it takes them at odd addresses: arm64 then dies of a misaligned LDAR, so that is not tried")
int store_to_slice(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u64 buffer;
	void *at;

	bpf_dynptr_from_skb(skb, 0, &packet);
	at = bpf_dynptr_slice_rdwr(&packet, 13, &buffer, sizeof(buffer));
	if (at)
		store_release(u64, at, 0, 1);
	return 0;
}

SEC("syscall") __not_run_in_mainline("it takes them at odd addresses: arm64 then dies of a misaligned LDAR, so that is not tried")
int store_to_data_of_dynptr(void *ctx)
{
	struct bpf_dynptr dynptr;
	void *at = bpf_map_lookup_elem(&values, &(__u32){ 0 });

	if (!at)
		return 0;
	bpf_dynptr_from_mem(at, 60, 0, &dynptr);
	at = bpf_dynptr_data(&dynptr, 13, 8);
	if (at)
		store_release(u64, at, 0, 1);
	return 0;
}
