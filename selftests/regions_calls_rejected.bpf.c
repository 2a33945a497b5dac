// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions that a callback, a function or an exception would leave open. Valid: regions_calls.bpf.c
 */
#include "regions.h"

struct flags_ctx {
	unsigned long flags;
};

/* --- nested callbacks */

static int restore_of_outer(__u32 index, struct flags_ctx *ctx)
{
	bpf_local_irq_restore(&ctx->flags);
	return 0;
}

static int save_and_loop(__u32 index, void *unused)
{
	struct flags_ctx ctx;

	bpf_local_irq_save(&ctx.flags);
	bpf_loop(1, restore_of_outer, &ctx, 0);
	bpf_local_irq_restore(&ctx.flags);
	return 0;
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int inner_callback_restores_for_outer(struct __sk_buff *skb)
{
	bpf_loop(1, save_and_loop, NULL, 0);
	return 0;
}

static int save_for_outer(__u32 index, struct flags_ctx *ctx)
{
	bpf_local_irq_save(&ctx->flags);
	return 0;
}

static int loop_and_restore(__u32 index, void *unused)
{
	struct flags_ctx ctx;

	bpf_loop(1, save_for_outer, &ctx, 0);
	bpf_local_irq_restore(&ctx.flags);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int inner_callback_saves_for_outer(struct __sk_buff *skb)
{
	bpf_loop(1, loop_and_restore, NULL, 0);
	return 0;
}

static int take_for_outer(__u32 index, void *unused)
{
	return bpf_res_spin_lock(&lock_a) != 0;
}

static int loop_and_release(__u32 index, void *unused)
{
	bpf_loop(1, take_for_outer, NULL, 0);
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int inner_callback_locks_for_outer(struct __sk_buff *skb)
{
	bpf_loop(1, loop_and_release, NULL, 0);
	return 0;
}

/* A callback at the frame depth of an earlier one; the flags are not its own. */
static int save_to_ctx(__u32 index, struct flags_ctx *ctx)
{
	bpf_local_irq_save(&ctx->flags);
	return 0;
}

static int restore_from_ctx(__u32 index, struct flags_ctx *ctx)
{
	bpf_local_irq_restore(&ctx->flags);
	return 0;
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int one_callback_saves_and_another_restores(struct __sk_buff *skb)
{
	struct flags_ctx ctx;

	bpf_loop(1, save_to_ctx, &ctx, 0);
	bpf_loop(1, restore_from_ctx, &ctx, 0);
	return 0;
}

/* A function of the callback leaves flags in a frame that no longer exists. */
static __noinline int save_in_own_frame(void)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return 0;
}

static int call_save(__u32 index, void *unused)
{
	return save_in_own_frame();
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int function_of_callback_leaves_irqs_off(struct __sk_buff *skb)
{
	bpf_loop(1, call_save, NULL, 0);
	return 0;
}

/* --- callbacks that run later */

struct timed {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct timed);
} timers SEC(".maps");

static int expired_with_irqs_off(void *map, int *key, struct timed *timed)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return 0;
}

SEC("syscall") __requires(bpf_timer)
int timer_leaves_irqs_off(void *ctx)
{
	struct timed *timed = bpf_map_lookup_elem(&timers, &(int){ 0 });

	if (timed)
		bpf_timer_set_callback(&timed->timer, expired_with_irqs_off);
	return 0;
}

static int expired_with_lock(void *map, int *key, struct timed *timed)
{
	bpf_res_spin_lock(&lock_a);
	return 0;
}

SEC("syscall") __requires(bpf_timer)
int timer_keeps_lock(void *ctx)
{
	struct timed *timed = bpf_map_lookup_elem(&timers, &(int){ 0 });

	if (timed)
		bpf_timer_set_callback(&timed->timer, expired_with_lock);
	return 0;
}

/* Nothing is held when the callback runs. */
static int expired_and_unlocks(void *map, int *key, struct timed *timed)
{
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("syscall") __requires(bpf_timer)
int timer_releases_lock_of_program(void *ctx)
{
	struct timed *timed = bpf_map_lookup_elem(&timers, &(int){ 0 });

	if (timed)
		bpf_timer_set_callback(&timed->timer, expired_and_unlocks);
	return 0;
}

/* --- extensions */

__noinline int replaceable(int value)
{
	asm volatile("" : "+r"(value));
	return value + 1;
}

SEC("syscall")
__auxiliary
int extended(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = replaceable(1);
	bpf_local_irq_restore(&flags);
	return ret;
}

extern int bpf_copy_from_user_str(void *dst, u32 dst__sz, const void *unsafe_ptr__ign, u64 flags)
	__weak __ksym;

/* An extension may not sleep, whatever it extends. */
SEC("freplace/replaceable") __not_in_mainline("it checks earlier that the replaced program can sleep")
__load_with(extended)
__scenario(freplace)
int extension_that_sleeps(int value)
{
	char text[8];

	bpf_copy_from_user_str(text, sizeof(text), NULL, 0);
	return value;
}

SEC("freplace/replaceable")
__load_with(extended)
__scenario(freplace)
int extension_that_leaves_irqs_off(int value)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return value;
}

SEC("freplace/replaceable")
__load_with(extended)
__scenario(freplace)
int extension_that_throws_with_irqs_off(int value)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	if (value == 1)
		bpf_throw(61);
	bpf_local_irq_restore(&flags);
	return value;
}

/* --- exceptions */

static __noinline int throw_in_function(int x)
{
	if (x > 10)
		bpf_throw(71);
	return x;
}

SEC("tc")
int throw_in_function_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = throw_in_function(skb->len);
	bpf_local_irq_restore(&flags);
	return ret;
}

SEC("tc")
int throw_in_function_with_lock(struct __sk_buff *skb)
{
	int ret;

	if (bpf_res_spin_lock(&lock_a))
		return 0;
	ret = throw_in_function(skb->len);
	bpf_res_spin_unlock(&lock_a);
	return ret;
}

static int throw_in_turn(__u32 index, void *unused)
{
	if (index > 10)
		bpf_throw(71);
	return 0;
}

SEC("tc")
int throw_in_callback_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_loop(20, throw_in_turn, NULL, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

static int throw_with_own_region(__u32 index, void *unused)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	if (index > 10)
		bpf_throw(71);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc")
int throw_in_region_of_callback(struct __sk_buff *skb)
{
	bpf_loop(20, throw_with_own_region, NULL, 0);
	return 0;
}

__noinline int leave_irqs_off(u64 cookie)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return cookie;
}

SEC("tc")
__attribute__((btf_decl_tag("exception_callback:leave_irqs_off")))
int exception_callback_leaves_irqs_off(struct __sk_buff *skb)
{
	return throw_in_function(skb->len);
}

/* --- dead frames and overwritten slots */

/* The function writes to the caller's slot while it holds flags. */
static __noinline void overwrite(unsigned long *flags)
{
	*(volatile unsigned long *)flags = 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int flags_overwritten_in_function(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	overwrite(&flags);
	bpf_local_irq_restore(&flags);
	return 0;
}

static int overwrite_in_callback(__u32 index, struct flags_ctx *ctx)
{
	*(volatile unsigned long *)&ctx->flags = 0;
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int flags_overwritten_in_callback(struct __sk_buff *skb)
{
	struct flags_ctx ctx;

	bpf_local_irq_save(&ctx.flags);
	bpf_loop(1, overwrite_in_callback, &ctx, 0);
	bpf_local_irq_restore(&ctx.flags);
	return 0;
}

/* At an offset unknown to the verifier. */
SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int flags_overwritten_at_variable_offset(struct __sk_buff *skb)
{
	unsigned long flags[2] = {};
	__u64 offset = skb->len & 8;

	bpf_local_irq_save(&flags[1]);
	barrier_var(offset);
	*(volatile __u8 *)((void *)flags + offset) = 1;
	bpf_local_irq_restore(&flags[1]);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int flags_overwritten_by_helper(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_probe_read_kernel(&flags, sizeof(flags), skb);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int flags_overwritten_by_iterator(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_local_irq_save((unsigned long *)&it);
	bpf_iter_num_new(&it, 0, 1);
	bpf_iter_num_destroy(&it);
	bpf_local_irq_restore((unsigned long *)&it);
	return 0;
}

/* A copy of the flags is not valid. */
SEC("tc")
int flags_copied(struct __sk_buff *skb)
{
	unsigned long flags, copy;

	bpf_local_irq_save(&flags);
	copy = *(volatile unsigned long *)&flags;
	barrier_var(copy);
	bpf_local_irq_restore(&copy);
	return 0;
}
