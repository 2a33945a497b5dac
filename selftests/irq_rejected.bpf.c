// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verifier's rules for programs that disable interrupts: each program violates one rule, and the log
 * names it. locks.bpf.c has the valid programs.
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

/* For the iterator this is an ordinary write: it can no longer be destroyed. */
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

/* Flags of the caller, to which the subprogram may leave them; this caller does not restore them. */
SEC("tc")
int exit_with_irqs_off_by_subprogram(struct __sk_buff *skb)
{
	unsigned long flags;

	save_to(&flags);
	return 0;
}

/* Flags on the subprogram's stack are lost when it returns. */
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

__noinline int global_that_sleeps(void)
{
	return bpf_copy_from_user(&global_flags, sizeof(global_flags), NULL);
}

SEC("syscall")
int global_function_that_sleeps(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_that_sleeps();
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

/* Interrupts would be on while the lock is held. */
SEC("tc")
int flags_of_lock_restored_without_it(struct __sk_buff *skb)
{
	unsigned long flags;

	if (bpf_res_spin_lock_irqsave(&lock, &flags))
		return 0;
	bpf_local_irq_restore(&flags);
	return 0;
}

/* The flags of the lock were saved later. */
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

/* Acquiring failed, so no flags were stored. */
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

/* --- pruning: the paths differ in the location of the flags, and only one of them is valid */

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

/* Interrupts are off on both paths, on one of them by a lock. */
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

/*
 * --- global functions, verified after their callers: whether one may sleep or throw is computed before
 * (also for preemption off and bpf_rcu_read_lock()). Valid programs are in locks.bpf.c.
 */

__noinline int global_that_calls_global(void)
{
	return global_that_sleeps() + 1;
}

SEC("syscall")
int global_function_that_sleeps_in_another(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_that_calls_global();
	bpf_local_irq_restore(&flags);
	return ret;
}

static __noinline int static_that_sleeps(void *to)
{
	return bpf_copy_from_user(to, sizeof(global_flags), NULL);
}

__noinline int global_that_calls_static(void)
{
	return static_that_sleeps(&global_flags);
}

SEC("syscall")
int global_function_that_sleeps_in_static(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_that_calls_static();
	bpf_local_irq_restore(&flags);
	return ret;
}

static int sleep_in_callback(__u32 i, void *ctx)
{
	bpf_copy_from_user(&global_flags, sizeof(global_flags), NULL);
	return 0;
}

__noinline int global_with_callback(int n)
{
	return bpf_loop(n, sleep_in_callback, NULL, 0);
}

SEC("syscall")
int global_function_that_sleeps_in_callback(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_with_callback(1);
	bpf_local_irq_restore(&flags);
	return ret;
}

__noinline int global_with_sleepable_kfunc(void)
{
	return bpf_copy_from_user_str(&global_flags, sizeof(global_flags), NULL, 0);
}

SEC("syscall")
int global_function_with_sleepable_kfunc(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_with_sleepable_kfunc();
	bpf_local_irq_restore(&flags);
	return ret;
}

static const volatile bool never;

/* Unreachable code counts. */
__noinline int global_with_dead_code(int x)
{
	if (never)
		bpf_copy_from_user(&global_flags, sizeof(global_flags), NULL);
	return x + 1;
}

SEC("syscall")
int global_function_that_never_sleeps(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_with_dead_code(1);
	bpf_local_irq_restore(&flags);
	return ret;
}

struct element {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct element);
} timers SEC(".maps");

__noinline int global_that_is_called_back(int x);

static __noinline int expired(void *map, int *key, struct element *element)
{
	global_that_is_called_back(1);
	return 0;
}

/* The sleeping call is after the jump, and so is found after the callback was checked. */
__noinline int global_that_is_called_back(int x)
{
	struct element *element;
	int key = 0;

	asm volatile goto("if %[x] != 0 goto %l[sleep]" : : [x] "r"(x) : : sleep);
	element = bpf_map_lookup_elem(&timers, &key);
	if (element)
		bpf_timer_set_callback(&element->timer, expired);
	return 0;
sleep:
	return bpf_copy_from_user(&global_flags, sizeof(global_flags), NULL);
}

__noinline int global_that_calls_callback(void)
{
	struct element *element;
	int key = 0;

	element = bpf_map_lookup_elem(&timers, &key);
	if (!element)
		return -1;
	return expired(&timers, &key, element);
}

/* The callback calls the function that sets it, which is checked first. */
SEC("syscall") __not_in_mainline("it takes the circle, which an async callback closes, for a recursion")
int global_function_that_sleeps_in_circle(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_that_calls_callback();
	bpf_local_irq_restore(&flags);
	return ret + global_that_is_called_back(0);
}

__noinline int global_that_throws(int x)
{
	if (x > 100)
		bpf_throw(0);
	return x + 1;
}

SEC("tc") __not_in_mainline("it says beforehand that the function is taken for valid")
int global_function_that_throws(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_that_throws(skb->len);
	bpf_local_irq_restore(&flags);
	return ret;
}

__noinline int global_that_calls_throwing(int x)
{
	return global_that_throws(x) + 1;
}

SEC("tc") __not_in_mainline("it says beforehand that the function is taken for valid")
int global_function_that_throws_in_another(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_that_calls_throwing(skb->len);
	bpf_local_irq_restore(&flags);
	return ret;
}

__noinline int global_function(int x)
{
	return x + 1;
}

SEC("tc")
int global_function_with_lock_and_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	if (bpf_res_spin_lock_irqsave(&lock, &flags))
		return 0;
	ret = global_function(skb->len);
	bpf_res_spin_unlock_irqrestore(&lock, &flags);
	return ret;
}

__noinline int global_that_writes(unsigned long *to)
{
	if (to)
		*to = 1;
	return 0;
}

SEC("tc") __not_in_mainline("its verifier has other words for what lies on the stack")
int flags_passed_to_global_function(struct __sk_buff *skb)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	global_that_writes(&flags);
	bpf_local_irq_restore(&flags);
	return 0;
}

/* Verified as if interrupts were on before, but called with interrupts off. */
__noinline int global_that_leaves_irqs_off(int x)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return x + 1;
}

SEC("tc")
int global_function_that_leaves_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = global_that_leaves_irqs_off(skb->len);
	bpf_local_irq_restore(&flags);
	return ret;
}

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

SEC("syscall")
int global_function_that_sleeps_with_preemption_off(void *ctx)
{
	int ret;

	bpf_preempt_disable();
	ret = global_that_sleeps();
	bpf_preempt_enable();
	return ret;
}

extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;

SEC("syscall")
int global_function_that_sleeps_under_rcu(void *ctx)
{
	int ret;

	bpf_rcu_read_lock();
	ret = global_that_sleeps();
	bpf_rcu_read_unlock();
	return ret;
}

SEC("tc") __not_in_mainline("it says beforehand that the function is taken for valid")
int global_function_that_throws_under_rcu(struct __sk_buff *skb)
{
	int ret;

	bpf_rcu_read_lock();
	ret = global_that_throws(skb->len);
	bpf_rcu_read_unlock();
	return ret;
}

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __weak __ksym;
extern void bpf_task_release(struct task_struct *p) __weak __ksym;

/* Not a region, but bpf_throw() would not return to its end either. */
SEC("syscall") __not_in_mainline("it says beforehand that the function is taken for valid")
int global_function_that_throws_with_reference(void *ctx)
{
	struct task_struct *task = bpf_task_acquire(bpf_get_current_task_btf());
	int ret;

	if (!task)
		return 0;
	ret = global_that_throws(task->pid);
	bpf_task_release(task);
	return ret;
}

/* --- flags at the end of the frame, beyond which the kernel's stack begins */

SEC("tc") __not_in_mainline("its verifier names the register where 6.12's says arg")
int restore_from_frame_pointer(struct __sk_buff *skb)
{
	asm volatile("r1 = r10; r1 += -8;"
		     "call bpf_local_irq_save;"
		     "r1 = r10;"
		     "call bpf_local_irq_restore;" ::: "r0", "r1", "r2", "r3", "r4", "r5", "memory");
	return 0;
}
