// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stream element cannot be stored in a map: its type has no destructor, so that deleting the map's value
 * could not free it. (In a file of its own, as the kernel rejects all of an object's types.)
 */
#include "released.h"

struct keeper {
	struct bpf_stream_elem __kptr *elem;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct keeper);
} keepers SEC(".maps");

/* If it could, a dynptr of the element's text would have to end here. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int element_put_into_map(void *ctx)
{
	struct keeper *keeper = bpf_map_lookup_elem(&keepers, &(__u32){ 0 });
	struct bpf_stream_elem *elem = next_element(), *old;
	struct bpf_dynptr text;

	if (!elem)
		return 0;
	if (!keeper) {
		bpf_stream_free_elem(elem);
		return 0;
	}
	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	old = bpf_kptr_xchg(&keeper->elem, elem);
	if (old)
		bpf_stream_free_elem(old);
	return bpf_dynptr_size(&text);
}
