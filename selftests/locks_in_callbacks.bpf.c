// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks in the values passed to callbacks, and in the values of inner maps. Two values have two locks,
 * which the verifier must tell apart; locks_in_callbacks_rejected.bpf.c has the invalid programs.
 */
#include "workqueue.h"

struct element {
	struct bpf_res_spin_lock lock;
	int value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, int);
	__type(value, struct element);
} elements SEC(".maps"), others SEC(".maps");

/* --- for_each */

static long add_one(struct bpf_map *map, int *key, struct element *element, int *sum)
{
	if (bpf_res_spin_lock(&element->lock))
		return 1;
	*sum += ++element->value;
	bpf_res_spin_unlock(&element->lock);
	return 0;
}

SEC("tc")
int lock_in_for_each(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_for_each_map_elem(&elements, add_one, &sum, 0);
	return sum;
}

/* Two locks of two maps. */
static long add_two(struct bpf_map *map, int *key, struct element *element, int *sum)
{
	struct element *other = bpf_map_lookup_elem(&others, key);

	if (!other || bpf_res_spin_lock(&element->lock))
		return 1;
	if (!bpf_res_spin_lock(&other->lock)) {
		*sum += ++other->value;
		bpf_res_spin_unlock(&other->lock);
	}
	bpf_res_spin_unlock(&element->lock);
	return 0;
}

SEC("tc")
int locks_of_two_maps_in_for_each(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_for_each_map_elem(&elements, add_two, &sum, 0);
	return sum;
}

/* The value of the outer callback, and another value of the same map, which may be the same one. */
struct nested {
	struct element *outer;
	int sum;
};

static long with_outer(struct bpf_map *map, int *key, struct element *inner, struct nested *nested)
{
	struct element *outer = nested->outer;

	if (!outer || bpf_res_spin_lock(&outer->lock))
		return 1;
	if (!bpf_res_spin_lock(&inner->lock)) {
		nested->sum++;
		bpf_res_spin_unlock(&inner->lock);
	}
	bpf_res_spin_unlock(&outer->lock);
	return 0;
}

static long for_each_again(struct bpf_map *map, int *key, struct element *outer, int *sum)
{
	struct nested nested = { .outer = outer };

	bpf_for_each_map_elem(&elements, with_outer, &nested, 0);
	*sum += nested.sum;
	return 0;
}

/* Three times three pairs; the three with equal locks fail with -EDEADLK. */
SEC("tc")
int locks_in_nested_for_each(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_for_each_map_elem(&elements, for_each_again, &sum, 0);
	return sum;
}

/* --- timers and workqueues */

struct timed {
	struct bpf_res_spin_lock lock;
	int value;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, struct timed);
} timers SEC(".maps");

static int expired(void *map, int *key, struct timed *timed)
{
	struct timed *other = bpf_map_lookup_elem(&timers, &(int){ 1 });
	unsigned long flags;

	if (!other || bpf_res_spin_lock_irqsave(&timed->lock, &flags))
		return 0;
	if (!bpf_res_spin_lock(&other->lock)) {
		other->value++;
		bpf_res_spin_unlock(&other->lock);
	}
	timed->value++;
	bpf_res_spin_unlock_irqrestore(&timed->lock, &flags);
	bpf_stream_printk(BPF_STDOUT, "two locks in %s context: %d %d\n", context(), timed->value,
			  other->value);
	return 0;
}

SEC("syscall") __requires(bpf_timer)
__wait_stdout(34)
int lock_in_timer(void *ctx)
{
	struct timed *timed = bpf_map_lookup_elem(&timers, &(int){ 0 });

	if (!timed)
		return -1;
	return bpf_timer_init(&timed->timer, &timers, 1 /* CLOCK_MONOTONIC */) ?:
		       bpf_timer_set_callback(&timed->timer, expired) ?:
		       bpf_timer_start(&timed->timer, 0, 0);
}

struct working {
	struct bpf_res_spin_lock lock;
	int value;
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, struct working);
} works SEC(".maps");

static int work(void *map, int *key, void *value)
{
	struct working *working = value;

	if (bpf_res_spin_lock(&working->lock))
		return 0;
	working->value++;
	bpf_res_spin_unlock(&working->lock);
	bpf_stream_printk(BPF_STDOUT, "a lock in %s context: %d\n", context(), working->value);
	return 0;
}

SEC("syscall")
__wait_stdout(29)
int lock_in_work_queue(void *ctx)
{
	static const struct working none;
	struct working *working;
	int key = 0;

	bpf_map_update_elem(&works, &key, &none, 0);
	working = bpf_map_lookup_elem(&works, &key);
	if (!working)
		return -1;
	return bpf_wq_init(&working->work, &works, 0) ?: bpf_wq_set_callback(&working->work, work, 0) ?:
		       bpf_wq_start(&working->work, 0);
}

/* --- inner maps */

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct element);
} inner_one SEC(".maps"), inner_other SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, int);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { &inner_one, &inner_other },
};

static __always_inline struct element *element_of_inner(int index)
{
	void *map = bpf_map_lookup_elem(&outer, &index);

	return map ? bpf_map_lookup_elem(map, &(int){ 0 }) : NULL;
}

SEC("tc")
int locks_of_two_inner_maps(struct __sk_buff *skb)
{
	struct element *one = element_of_inner(0), *other = element_of_inner(1);
	int held = 0;

	if (!one || !other)
		return -1;
	if (bpf_res_spin_lock(&one->lock))
		return -2;
	held++;
	if (!bpf_res_spin_lock(&other->lock)) {
		held++;
		bpf_res_spin_unlock(&other->lock);
	}
	bpf_res_spin_unlock(&one->lock);
	return held;
}

/* Both have the same type, and only at run time turn out to be the same map. */
SEC("tc")
int lock_of_one_inner_map_twice(struct __sk_buff *skb)
{
	struct element *one = element_of_inner(0), *same = element_of_inner(0);
	int err;

	if (!one || !same)
		return -1;
	if (bpf_res_spin_lock(&one->lock))
		return -2;
	err = bpf_res_spin_lock(&same->lock);
	if (!err)
		bpf_res_spin_unlock(&same->lock);
	bpf_res_spin_unlock(&one->lock);
	return err;
}

SEC("tc")
int lock_in_for_each_of_inner_map(struct __sk_buff *skb)
{
	void *map = bpf_map_lookup_elem(&outer, &(int){ 1 });
	int sum = 0;

	if (!map)
		return -1;
	bpf_for_each_map_elem(map, add_one, &sum, 0);
	return sum;
}
