// SPDX-License-Identifier: GPL-2.0-only
/*
 * Map values that are not aligned to 8 bytes: the value of an LPM trie follows the key, whose length is not
 * rounded up, and that of a devmap follows a 32-bit field.
 */
#include "selftest.h"
#include "acqrel.h"

struct key {
	__u32 prefixlen;
	__u8 data[3];
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct key);
	__type(value, __u64);
} trie SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 8);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u8[3]);
	__type(value, __u64);
} hash SEC(".maps");

/* Must be rejected: the value begins three bytes after an aligned address. */
SEC("tc") __not_in_mainline("it accepts load-acquire and store-release on memory that may be misaligned")
int load_from_trie(struct __sk_buff *skb)
{
	struct key key = { .prefixlen = 24 };
	__u64 value = 1, *found;

	bpf_map_update_elem(&trie, &key, &value, BPF_ANY);
	found = bpf_map_lookup_elem(&trie, &key);
	return found ? load_acquire(u64, found, 0) : 0;
}

SEC("tc") __not_in_mainline("it accepts load-acquire and store-release on memory that may be misaligned")
int store_to_trie(struct __sk_buff *skb)
{
	struct key key = { .prefixlen = 24 };
	__u64 value = 1, *found;

	bpf_map_update_elem(&trie, &key, &value, BPF_ANY);
	found = bpf_map_lookup_elem(&trie, &key);
	if (found)
		store_release(u64, found, 0, 2);
	return 0;
}

/* Must be rejected. */
SEC("xdp") __not_in_mainline("it accepts load-acquire and store-release on memory that may be misaligned")
int load_from_devmap(struct xdp_md *ctx)
{
	void *found = bpf_map_lookup_elem(&devices, &(__u32){ 0 });

	return found && load_acquire(u64, found, 0) ? XDP_PASS : XDP_DROP;
}

/* A hash map rounds up the length of its keys. */
SEC("syscall")
int load_and_store_in_hash(void *ctx)
{
	__u8 key[3] = {};
	__u64 value = 1, *found;

	bpf_map_update_elem(&hash, key, &value, BPF_ANY);
	found = bpf_map_lookup_elem(&hash, key);
	if (!found)
		return -1;
	store_release(u64, found, 0, 2);
	return load_acquire(u64, found, 0);
}
