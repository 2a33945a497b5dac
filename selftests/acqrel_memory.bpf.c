// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load-acquire and store-release on every kind of memory that the verifier knows to be aligned. Each
 * program stores a value, loads it, and returns it. acqrel_unaligned.bpf.c tests unaligned memory.
 */
#include "released.h"
#include "acqrel.h"

extern void *bpf_percpu_obj_new(__u64 local_type_id__k) __weak __ksym;
extern void bpf_percpu_obj_drop(void *p__alloc) __weak __ksym;

#define store_and_load(type, at, off, number)               \
	({                                                  \
		void *__at = (at);                          \
							    \
		store_release(type, __at, off, number);     \
		(int)load_acquire(type, __at, off);         \
	})

#define MAP(name, kind, flags, key_type, value_type) \
	struct {                                      \
		__uint(type, BPF_MAP_TYPE_##kind);     \
		__uint(max_entries, 2);                \
		__uint(map_flags, flags);              \
		__type(key, key_type);                 \
		__type(value, value_type);             \
	} name SEC(".maps")

/* Seven bytes, so that the value does not follow the key immediately. */
struct odd_key {
	__u8 bytes[7];
};

MAP(values, ARRAY, 0, __u32, __u64[8]);
MAP(percpu_values, PERCPU_ARRAY, 0, __u32, __u64[8]);
MAP(hash, HASH, 0, struct odd_key, __u64[8]);
MAP(allocating_hash, HASH, BPF_F_NO_PREALLOC, struct odd_key, __u64[8]);
MAP(percpu_hash, PERCPU_HASH, 0, struct odd_key, __u64[8]);
MAP(lru_hash, LRU_HASH, 0, struct odd_key, __u64[8]);

SEC("tc")
int value_at_variable_offset(struct __sk_buff *skb)
{
	__u8 *at = bpf_map_lookup_elem(&values, &(__u32){ 0 });

	return at ? store_and_load(u64, at + (skb->len & 0x38), 0, 1) : -1;
}

SEC("tc")
int halves_of_value(struct __sk_buff *skb)
{
	__u8 *at = bpf_map_lookup_elem(&values, &(__u32){ 0 });

	if (!at)
		return -1;
	return store_and_load(u32, at + 4, 0, 1) + store_and_load(u16, at + 2, 0, 2) +
	       store_and_load(u8, at + 1, 0, 4);
}

SEC("tc")
int percpu_value(struct __sk_buff *skb)
{
	void *at = bpf_map_lookup_elem(&percpu_values, &(__u32){ 1 });

	return at ? store_and_load(u64, at, 8, 2) : -1;
}

SEC("tc")
int percpu_value_of_cpu(struct __sk_buff *skb)
{
	void *at = bpf_map_lookup_percpu_elem(&percpu_values, &(__u32){ 1 }, 0);

	return at ? store_and_load(u64, at, 16, 3) : -1;
}

#define in_hash(map)                                                      \
	({                                                                \
		struct odd_key __key = { { 1, 2, 3 } };                    \
		__u64 __zeros[8] = {};                                     \
		void *__value;                                            \
									  \
		bpf_map_update_elem(map, &__key, __zeros, 0);             \
		__value = bpf_map_lookup_elem(map, &__key);               \
		__value ? store_and_load(u64, __value, 56, 4) : -1;       \
	})

SEC("tc")
int value_of_hash(struct __sk_buff *skb)
{
	return in_hash(&hash);
}

SEC("tc")
int value_of_allocating_hash(struct __sk_buff *skb)
{
	return in_hash(&allocating_hash);
}

SEC("tc")
int value_of_percpu_hash(struct __sk_buff *skb)
{
	return in_hash(&percpu_hash);
}

SEC("tc")
int value_of_lru_hash(struct __sk_buff *skb)
{
	return in_hash(&lru_hash);
}

static long load_key(struct bpf_map *map, struct odd_key *key, __u64 *value, int *sum)
{
	*sum += load_acquire(u32, key, 0) + store_and_load(u64, value, 0, 5);
	return 0;
}

/* 0x030201, and 5 */
SEC("tc")
int key_and_value_in_for_each(struct __sk_buff *skb)
{
	int sum = in_hash(&hash) - 4;

	bpf_for_each_map_elem(&hash, load_key, &sum, 0);
	return sum;
}

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64[8]);
} task_storage SEC(".maps");

SEC("syscall")
int value_of_task_storage(void *ctx)
{
	void *at = bpf_task_storage_get(&task_storage, bpf_get_current_task_btf(), NULL,
					BPF_LOCAL_STORAGE_GET_F_CREATE);

	return at ? store_and_load(u64, at, 24, 6) : -1;
}

static __u64 global = 1;

SEC("tc")
int global_variable(struct __sk_buff *skb)
{
	return store_and_load(u64, &global, 0, 7);
}

SEC("tc")
int record_of_ring_buffer(struct __sk_buff *skb)
{
	void *record = bpf_ringbuf_reserve(&ringbuf, 20, 0);
	int ret;

	if (!record)
		return -1;
	ret = store_and_load(u64, record, 8, 8) + store_and_load(u32, record, 16, 1);
	bpf_ringbuf_discard(record, 0);
	return ret;
}

struct numbers {
	__u64 one;
	__u32 other;
};

SEC("tc")
int allocated_object(struct __sk_buff *skb)
{
	struct numbers *object = bpf_obj_new(bpf_core_type_id_local(struct numbers));
	int ret;

	if (!object)
		return -1;
	ret = store_and_load(u64, &object->one, 0, 9) + store_and_load(u32, &object->other, 0, 1);
	bpf_obj_drop(object);
	return ret;
}

struct percpu_keeper {
	struct numbers __percpu_kptr *numbers;
};

MAP(keepers, ARRAY, 0, __u32, struct percpu_keeper);

SEC("tc")
int percpu_object(struct __sk_buff *skb)
{
	struct percpu_keeper *keeper = bpf_map_lookup_elem(&keepers, &(__u32){ 0 });
	struct numbers __percpu_kptr *object;
	struct numbers *numbers;

	if (!keeper)
		return -1;
	object = bpf_percpu_obj_new(bpf_core_type_id_local(struct numbers));
	if (!object)
		return -2;
	object = bpf_kptr_xchg(&keeper->numbers, object);
	if (object)
		bpf_percpu_obj_drop(object);
	object = keeper->numbers;
	if (!object)
		return -3;
	numbers = bpf_this_cpu_ptr(object);
	return store_and_load(u64, &numbers->one, 0, 11);
}

static __noinline int store_and_load_in_function(void *at)
{
	return store_and_load(u64, at, 0, 12);
}

SEC("tc")
int stack_of_caller(struct __sk_buff *skb)
{
	__u64 numbers[2] = {};

	return store_and_load_in_function(numbers + 1);
}

static int store_and_load_in_callback(__u32 index, __u64 *at)
{
	store_and_load(u64, at, 0, 13 + index);
	return 0;
}

SEC("tc")
int stack_of_caller_in_callback(struct __sk_buff *skb)
{
	__u64 number = 0;

	bpf_loop(2, store_and_load_in_callback, &number, 0);
	return number;
}

/* A global function may return the number, but not use it: see acqrel_unaligned.bpf.c. */
__noinline int number_of(int x)
{
	return x + 1;
}

SEC("tc")
int number_of_global_function(struct __sk_buff *skb)
{
	__u64 on_stack = 0;

	return store_and_load(u64, &on_stack, 0, number_of(14));
}
