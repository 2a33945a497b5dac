// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks in values passed to callbacks, and in values of inner maps: a lock must be released by the value
 * through which it was acquired. None may load; locks_in_callbacks.bpf.c has valid programs.
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

static long keep(struct bpf_map *map, int *key, struct element *element, void *ctx)
{
	return bpf_res_spin_lock(&element->lock) != 0;
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int lock_kept_by_for_each(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&elements, keep, NULL, 0);
	return 0;
}

/* The value of this iteration differs from that of the previous one. */
static long take_next(struct bpf_map *map, int *key, struct element *element, void *ctx)
{
	bpf_res_spin_unlock(&element->lock);
	return bpf_res_spin_lock(&element->lock) != 0;
}

SEC("tc")
int lock_released_by_first_turn(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&elements, take_next, NULL, 0);
	return 0;
}

struct nested {
	struct element *outer;
};

static long release_inner(struct bpf_map *map, int *key, struct element *inner, struct nested *nested)
{
	struct element *outer = nested->outer;

	if (!outer || bpf_res_spin_lock(&outer->lock))
		return 1;
	bpf_res_spin_unlock(&inner->lock);
	return 0;
}

static long for_each_again(struct bpf_map *map, int *key, struct element *outer, void *ctx)
{
	struct nested nested = { .outer = outer };

	bpf_for_each_map_elem(&elements, release_inner, &nested, 0);
	return 0;
}

SEC("tc")
int value_of_inner_for_each_released_for_outer(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&elements, for_each_again, NULL, 0);
	return 0;
}

static long take_twice(struct bpf_map *map, int *key, struct element *element, void *ctx)
{
	if (bpf_res_spin_lock(&element->lock))
		return 1;
	if (!bpf_res_spin_lock(&element->lock))
		bpf_res_spin_unlock(&element->lock);
	bpf_res_spin_unlock(&element->lock);
	return 0;
}

SEC("tc")
int value_of_for_each_taken_twice(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&elements, take_twice, NULL, 0);
	return 0;
}

static long release_found(struct bpf_map *map, int *key, struct element *element, void *ctx)
{
	struct element *same = bpf_map_lookup_elem(&elements, key);

	if (!same || bpf_res_spin_lock(&element->lock))
		return 1;
	bpf_res_spin_unlock(&same->lock);
	return 0;
}

SEC("tc")
int value_found_again_released(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&elements, release_found, NULL, 0);
	return 0;
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

static int expired_keeps(void *map, int *key, struct timed *timed)
{
	bpf_res_spin_lock(&timed->lock);
	return 0;
}

SEC("syscall") __requires(bpf_timer)
int lock_kept_by_timer(void *ctx)
{
	struct timed *timed = bpf_map_lookup_elem(&timers, &(int){ 0 });

	if (timed)
		bpf_timer_set_callback(&timed->timer, expired_keeps);
	return 0;
}

static int expired_releases_other(void *map, int *key, struct timed *timed)
{
	struct timed *other = bpf_map_lookup_elem(&timers, &(int){ 1 });

	if (!other || bpf_res_spin_lock(&timed->lock))
		return 0;
	bpf_res_spin_unlock(&other->lock);
	return 0;
}

SEC("syscall") __requires(bpf_timer)
int other_value_released_by_timer(void *ctx)
{
	struct timed *timed = bpf_map_lookup_elem(&timers, &(int){ 0 });

	if (timed)
		bpf_timer_set_callback(&timed->timer, expired_releases_other);
	return 0;
}

/* The values of the timer's callback and of the for_each callback in it. */
struct timed_ctx {
	struct timed *timed;
};

static long release_for_timer(struct bpf_map *map, int *key, struct timed *each, struct timed_ctx *ctx)
{
	if (!ctx->timed || bpf_res_spin_lock(&ctx->timed->lock))
		return 1;
	bpf_res_spin_unlock(&each->lock);
	return 0;
}

static int expired_loops(void *map, int *key, struct timed *timed)
{
	struct timed_ctx ctx = { .timed = timed };

	bpf_for_each_map_elem(&timers, release_for_timer, &ctx, 0);
	return 0;
}

SEC("syscall") __requires(bpf_timer)
int value_of_timer_released_by_for_each(void *ctx)
{
	struct timed *timed = bpf_map_lookup_elem(&timers, &(int){ 0 });

	if (timed)
		bpf_timer_set_callback(&timed->timer, expired_loops);
	return 0;
}

struct working {
	struct bpf_res_spin_lock lock;
	int value;
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, struct working);
} works SEC(".maps");

static int work_with_other(void *map, int *key, void *value)
{
	struct working *working = value, *other = bpf_map_lookup_elem(&works, &(int){ 1 });

	if (!other || bpf_res_spin_lock(&working->lock))
		return 0;
	bpf_res_spin_unlock(&other->lock);
	return 0;
}

SEC("syscall")
int other_value_released_by_work_queue(void *ctx)
{
	struct working *working = bpf_map_lookup_elem(&works, &(int){ 0 });

	if (working)
		bpf_wq_set_callback(&working->work, work_with_other, 0);
	return 0;
}

extern int bpf_copy_from_user_str(void *dst, u32 dst__sz, const void *unsafe_ptr__ign, u64 flags)
	__weak __ksym;

/* A workqueue callback may sleep, but not with interrupts off. */
static int work_and_sleep(void *map, int *key, void *value)
{
	unsigned long flags;
	char text[8];

	bpf_local_irq_save(&flags);
	bpf_copy_from_user_str(text, sizeof(text), NULL, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc")
int work_queue_sleeps_with_irqs_off(struct __sk_buff *skb)
{
	struct working *working = bpf_map_lookup_elem(&works, &(int){ 0 });

	if (working)
		bpf_wq_set_callback(&working->work, work_and_sleep, 0);
	return 0;
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
int lock_of_other_inner_map_released(struct __sk_buff *skb)
{
	struct element *one = element_of_inner(0), *other = element_of_inner(1);

	if (!one || !other || bpf_res_spin_lock(&one->lock))
		return 0;
	bpf_res_spin_unlock(&other->lock);
	return 0;
}

SEC("tc")
int lock_of_inner_map_released_by_another_map(struct __sk_buff *skb)
{
	struct element *one = element_of_inner(0), *other;

	other = bpf_map_lookup_elem(&inner_one, &(int){ 0 });
	if (!one || !other || bpf_res_spin_lock(&one->lock))
		return 0;
	bpf_res_spin_unlock(&other->lock);
	return 0;
}

static long release_for_outer_map(struct bpf_map *map, int *key, struct element *each,
				  struct nested *nested)
{
	struct element *outer = nested->outer;

	if (!outer || bpf_res_spin_lock(&outer->lock))
		return 1;
	bpf_res_spin_unlock(&each->lock);
	return 0;
}

SEC("tc")
int lock_of_inner_map_released_in_for_each(struct __sk_buff *skb)
{
	struct nested nested = { .outer = element_of_inner(0) };
	void *map = bpf_map_lookup_elem(&outer, &(int){ 1 });

	if (map)
		bpf_for_each_map_elem(map, release_for_outer_map, &nested, 0);
	return 0;
}
