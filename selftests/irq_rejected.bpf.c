// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the verifier lets programs do that turn interrupts off: each program breaks one rule, and
 * the log says which. What keeps the rules is in locks.bpf.c.
 */
#include "selftest.h"

extern int bpf_copy_from_user_str(void *dst, u32 dst__sz, const void *unsafe_ptr__ign, u64 flags)
	__weak __ksym;
extern void bpf_throw(u64 cookie) __weak __ksym;

static unsigned long global_flags;

SEC("tc")
int flags_in_global(struct __sk_buff *skb)
{
	bpf_local_irq_save(&global_flags);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int restore_of_what_was_not_saved(struct __sk_buff *skb)
{
	unsigned long flags = 0xbad;

	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc")
int restore_from_global(struct __sk_buff *skb)
{
	bpf_local_irq_restore(&global_flags);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int save_twice_to_one_place(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_local_irq_save(&flags);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int restore_twice(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_local_irq_restore(&flags);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int flags_overwritten(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	flags = 0xdeadbeef;
	barrier_var(flags);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int flags_overwritten_in_part(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	*(volatile char *)&flags = 1;
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc")
int flags_read(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = *(volatile unsigned long *)&flags & 1;
	bpf_local_irq_restore(&flags);
	return ret;
}

SEC("tc")
int restore_out_of_order(struct __sk_buff *skb)
{
	unsigned long outer, inner;

	bpf_local_irq_save(&outer);
	bpf_local_irq_save(&inner);
	bpf_local_irq_restore(&outer);
	bpf_local_irq_restore(&inner);
	return 0;
}

/* To the iterator this is a write like any other: nobody can end it now. */
SEC("tc")
int save_over_iterator(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	bpf_local_irq_save((unsigned long *)&it);
	bpf_local_irq_restore((unsigned long *)&it);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int restore_from_iterator(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	bpf_local_irq_restore((unsigned long *)&it);
	return 0;
}

SEC("tc")
int exit_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return 0;
}

SEC("tc")
int exit_with_irqs_off_on_one_path(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	if (skb->len > 100)
		bpf_local_irq_restore(&flags);
	return 0;
}

static __noinline void save_to(unsigned long *flags)
{
	bpf_local_irq_save(flags);
}

/* Flags of the caller; the subprogram may leave them to it, which here forgets them. */
SEC("tc")
int exit_with_irqs_off_by_subprogram(struct __sk_buff *skb)
{
	unsigned long flags;

	save_to(&flags);
	return 0;
}

/* Flags on the stack of the subprogram are lost when it returns. */
static __noinline int save_and_return(void)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return 0;
}

SEC("tc")
int flags_lost_with_frame(struct __sk_buff *skb)
{
	save_and_return();
	return 0;
}

struct callback_ctx {
	unsigned long flags;
};

static int save_in_callback(__u32 i, struct callback_ctx *ctx)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return 1;
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int callback_leaves_irqs_off(struct __sk_buff *skb)
{
	struct callback_ctx ctx = {};

	bpf_loop(1, save_in_callback, &ctx, 0);
	return 0;
}

static int restore_in_callback(__u32 i, struct callback_ctx *ctx)
{
	bpf_local_irq_restore(&ctx->flags);
	return 1;
}

SEC("tc") __not_in_mainline("it looks at a callback's exit less strictly, and finds the fault later")
int callback_restores_what_caller_saved(struct __sk_buff *skb)
{
	struct callback_ctx ctx;

	bpf_local_irq_save(&ctx.flags);
	bpf_loop(1, restore_in_callback, &ctx, 0);
	bpf_local_irq_restore(&ctx.flags);
	return 0;
}

SEC("syscall")
int sleepable_kfunc(void *ctx)
{
	unsigned long flags;
	char text[8];

	bpf_local_irq_save(&flags);
	bpf_copy_from_user_str(text, sizeof(text), NULL, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("syscall") __not_in_mainline("it says in where the texts of 6.14 say within")
int sleepable_helper(void *ctx)
{
	unsigned long flags;
	char text[8];

	bpf_local_irq_save(&flags);
	bpf_copy_from_user(text, sizeof(text), NULL);
	bpf_local_irq_restore(&flags);
	return 0;
}

__noinline int global_function(int x)
{
	return x + 1;
}

SEC("tc") __not_in_mainline("global functions that cannot sleep may be called with IRQs off")
int global_function_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_function(skb->len);
	bpf_local_irq_restore(&flags);
	return ret;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} programs SEC(".maps");

SEC("tc")
int tail_call_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_tail_call(skb, &programs, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc")
int throw_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	if (skb->len > 100)
		bpf_throw(0);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc")
int load_abs_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	asm volatile("r6 = %[skb]; r0 = *(u8 *)skb[0];" ::[skb] "r"(skb) : "r0", "r1", "r2", "r3", "r4",
		     "r5", "r6");
	bpf_local_irq_restore(&flags);
	return 0;
}

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_res_spin_lock lock;

/* Interrupts would be on with the lock held. */
SEC("tc")
int flags_of_lock_restored_without_it(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock, &flags))
		return 0;
	bpf_local_irq_restore(&flags);
	return 0;
}

/* The lock's flags are the later ones. */
SEC("tc") __not_in_mainline("it finds first that the flags are not a lock's")
int lock_restored_with_older_flags(struct __sk_buff *skb)
{
	unsigned long flags, more;

	bpf_local_irq_save(&flags);
	if (bpf_res_spin_lock_irqsave(&lock, &more)) {
		bpf_local_irq_restore(&flags);
		return 0;
	}
	bpf_res_spin_unlock_irqrestore(&lock, &flags);
	bpf_local_irq_restore(&more);
	return 0;
}

/* Where acquiring failed, nothing was stored. */
SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int restore_where_lock_failed(struct __sk_buff *skb)
{
	unsigned long flags;

	if (!bpf_res_spin_lock_irqsave(&lock, &flags))
		bpf_res_spin_unlock_irqrestore(&lock, &flags);
	else
		bpf_local_irq_restore(&flags);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int lock_saves_over_flags(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	if (!bpf_res_spin_lock_irqsave(&lock, &flags))
		bpf_res_spin_unlock_irqrestore(&lock, &flags);
	bpf_local_irq_restore(&flags);
	return 0;
}

/* --- pruning: the paths differ in where the flags are, and only one of them restores its own */

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int path_with_flags_elsewhere(struct __sk_buff *skb)
{
	unsigned long one, other;

	if (skb->len > 100)
		bpf_local_irq_save(&one);
	else
		bpf_local_irq_save(&other);
	bpf_local_irq_restore(&one);
	return 0;
}

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int path_with_flags_elsewhere_first(struct __sk_buff *skb)
{
	unsigned long one, other;

	if (skb->len > 100)
		bpf_local_irq_save(&one);
	else
		bpf_local_irq_save(&other);
	bpf_local_irq_restore(&other);
	return 0;
}

/* Interrupts went off on both paths, on one of them by a lock. */
SEC("tc")
int path_with_flags_of_lock(struct __sk_buff *skb)
{
	unsigned long flags;

	if (skb->len > 100) {
		bpf_local_irq_save(&flags);
	} else {
		if (bpf_res_spin_lock_irqsave(&lock, &flags))
			return 0;
	}
	bpf_local_irq_restore(&flags);
	return 0;
}
