// SPDX-License-Identifier: GPL-2.0-only
/*
 * On arm64, misaligned load-acquire and store-release instructions fault in the kernel. The verifier
 * compares offsets with the size of an access, but does not know the alignment of some memory: none of
 * these programs may load. acqrel_memory.bpf.c tests aligned memory; acqrel_slices.bpf.c and
 * acqrel_rejected.bpf.c test dynptrs, packets and contexts.
 */
#include "released.h"
#include "acqrel.h"

#define FAULTS_LATER \
	"it takes them at odd addresses: arm64 then dies of a misaligned LDAR, so that is not tried"
#define MORE_KINDS_LATER "it takes load-acquires and store-releases on more kinds of memory"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[8]);
} values SEC(".maps");

extern const int bpf_prog_active __ksym; /* per CPU */

static __always_inline void *value(void)
{
	return bpf_map_lookup_elem(&values, &(__u32){ 0 });
}

/* --- arguments of global functions, whose callers may pass any address */

__noinline int load_argument(__u64 *from)
{
	return from ? load_acquire(u64, from, 0) : 0;
}

SEC("tc") __not_run_in_mainline(FAULTS_LATER)
int load_from_argument(struct __sk_buff *skb)
{
	__u64 numbers[2] = {};

	return load_argument((void *)numbers + 4);
}

__noinline int store_to_argument_of(__u64 *to)
{
	if (to)
		store_release(u64, to, 0, 1);
	return 0;
}

SEC("tc") __not_run_in_mainline(FAULTS_LATER)
int store_to_argument(struct __sk_buff *skb)
{
	__u8 *at = value();

	return at ? store_to_argument_of((void *)(at + 1)) : 0;
}

__noinline int load_nonnull_argument(__u32 *from __arg_nonnull)
{
	return load_acquire(u32, from, 0);
}

SEC("tc") __not_run_in_mainline(FAULTS_LATER)
int load_from_nonnull_argument(struct __sk_buff *skb)
{
	void *packet = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (packet + 8 > end)
		return 0;
	return load_nonnull_argument(packet + 1);
}

struct pair {
	__u32 one, other;
};

__noinline int load_from_pair(struct pair *pair)
{
	return pair ? load_acquire(u32, &pair->other, 0) : 0;
}

SEC("tc") __not_run_in_mainline(FAULTS_LATER)
int load_from_struct_argument(struct __sk_buff *skb)
{
	__u32 numbers[4] = {};

	return load_from_pair((void *)numbers + 2);
}

/* --- packets */

SEC("xdp")
int load_from_xdp_packet(struct xdp_md *xdp)
{
	void *packet = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;

	if (packet + 8 > end)
		return XDP_PASS;
	return load_acquire(u64, packet, 0) ? XDP_PASS : XDP_DROP;
}

SEC("xdp") __not_in_mainline("its verifier rejects the program with another message")
int store_to_xdp_packet(struct xdp_md *xdp)
{
	void *packet = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;

	if (packet + 8 > end)
		return XDP_PASS;
	store_release(u64, packet, 0, 1);
	return XDP_PASS;
}

SEC("xdp")
int load_from_xdp_meta(struct xdp_md *xdp)
{
	void *meta = (void *)(long)xdp->data_meta, *packet = (void *)(long)xdp->data;

	if (meta + 4 > packet)
		return XDP_PASS;
	return load_acquire(u32, meta, 0) ? XDP_PASS : XDP_DROP;
}

/* --- ring buffer dynptrs: data and slices at any offset */

SEC("tc") __not_run_in_mainline(FAULTS_LATER)
int load_from_data_of_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *data;
	int ret = 0;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	data = bpf_dynptr_data(&record, 3, 8);
	if (data)
		ret = load_acquire(u64, data, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return ret;
}

SEC("tc") __not_run_in_mainline(FAULTS_LATER)
int store_to_slice_of_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice;

	bpf_ringbuf_reserve_dynptr(&ringbuf, 64, 0, &record);
	slice = bpf_dynptr_slice_rdwr(&record, 3, NULL, 8);
	if (slice)
		store_release(u64, slice, 0, 1);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* Memory of another program, which chose the positions in it. */
struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} user_ringbuf SEC(".maps");

static long load_sample(struct bpf_dynptr *sample, void *ctx)
{
	__u64 *data = bpf_dynptr_data(sample, 1, 8);

	return data ? load_acquire(u64, data, 0) & 1 : 0;
}

SEC("tc") __not_run_in_mainline(FAULTS_LATER)
int load_from_sample(struct __sk_buff *skb)
{
	return bpf_user_ringbuf_drain(&user_ringbuf, load_sample, NULL, 0);
}

/* --- values of maps that do not align their values */

struct lpm_key {
	__u32 prefixlen;
	__u8 bytes[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm_key);
	__type(value, __u64);
} trie SEC(".maps");

SEC("tc") __not_run_in_mainline(FAULTS_LATER)
int load_from_trie(struct __sk_buff *skb)
{
	struct lpm_key key = { .prefixlen = 24 };
	__u64 *from = bpf_map_lookup_elem(&trie, &key);

	return from ? load_acquire(u64, from, 0) : 0;
}

SEC("tc") __not_run_in_mainline(FAULTS_LATER)
int store_to_trie(struct __sk_buff *skb)
{
	struct lpm_key key = { .prefixlen = 24 };
	__u64 *to = bpf_map_lookup_elem(&trie, &key);

	if (to)
		store_release(u64, to, 0, 1);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct bpf_devmap_val));
} devices SEC(".maps");

SEC("xdp") __not_run_in_mainline(FAULTS_LATER)
int load_from_devmap(struct xdp_md *xdp)
{
	void *from = bpf_map_lookup_elem(&devices, &(__u32){ 0 });

	return from && load_acquire(u64, from, 0) ? XDP_PASS : XDP_DROP;
}

/* --- memory from kfuncs, helpers and contexts */

SEC("tc") __not_in_mainline(MORE_KINDS_LATER)
int load_from_number_of_iterator(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *number, ret = 0;

	bpf_iter_num_new(&it, 1, 3);
	number = bpf_iter_num_next(&it);
	if (number)
		ret = load_acquire(u32, number, 0);
	bpf_iter_num_destroy(&it);
	return ret;
}

SEC("iter/bpf_map_elem") __not_run_in_mainline(FAULTS_LATER)
int load_from_value_of_iterated_map(struct bpf_iter__bpf_map_elem *ctx)
{
	__u8 *from = ctx->value;

	return from ? load_acquire(u64, from, 0) & 1 : 0;
}

SEC("tc") __not_in_mainline(MORE_KINDS_LATER)
int load_from_percpu_number(struct __sk_buff *skb)
{
	return load_acquire(u32, bpf_this_cpu_ptr(&bpf_prog_active), 0);
}

/* --- offsets into aligned memory */

SEC("tc") __not_in_mainline("it writes the offset of a misaligned access otherwise")
int load_from_record_at_odd_offset(struct __sk_buff *skb)
{
	void *record = bpf_ringbuf_reserve(&ringbuf, 16, 0);
	int ret;

	if (!record)
		return 0;
	ret = load_acquire(u64, record, 4);
	bpf_ringbuf_discard(record, 0);
	return ret;
}

SEC("tc") __not_in_mainline("it writes the offset of a misaligned access otherwise")
int load_from_value_at_variable_offset(struct __sk_buff *skb)
{
	__u8 *at = value();

	if (!at)
		return 0;
	return load_acquire(u64, at + (skb->len & 15), 0);
}

static __noinline int load_from(void *from)
{
	return load_acquire(u64, from, 0);
}

SEC("tc") __not_in_mainline("it writes the offset of a misaligned access otherwise")
int load_from_stack_of_caller(struct __sk_buff *skb)
{
	__u64 numbers[2] = {};

	return load_from((void *)numbers + 4);
}

struct packed {
	__u8 byte;
	__u64 number;
} __attribute__((packed));

SEC("tc") __not_in_mainline("it writes the offset of a misaligned access otherwise")
int load_from_packed_object(struct __sk_buff *skb)
{
	struct packed *object = bpf_obj_new(bpf_core_type_id_local(struct packed));
	int ret;

	if (!object)
		return 0;
	ret = load_acquire(u64, object, 1);
	bpf_obj_drop(object);
	return ret;
}

SEC("syscall") __not_in_mainline("it writes the offset of a misaligned access otherwise")
int load_across_fields_of_task(void *ctx)
{
	return load_acquire(u32, &bpf_get_current_task_btf()->pid, 2);
}
