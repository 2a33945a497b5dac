// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_res_spin_lock at run time: mutual exclusion, failures, and the errors that the program gets.
 * (locks_rejected.bpf.c and irq_rejected.bpf.c have programs that the verifier rejects.)
 */
#include "selftest.h"
#include <bpf/bpf_core_read.h>

extern void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) __ksym;
extern void bpf_obj_drop_impl(void *p__alloc, void *meta__ign) __ksym;

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

_Static_assert(ARRAY_SIZE(((struct rqspinlock_held *)0)->locks) == 31, "as in mainline");
_Static_assert(sizeof(struct bpf_res_spin_lock) == sizeof(__u32), "as in mainline");

#define EDEADLK 35
#define ETIMEDOUT 110

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_res_spin_lock lock_a;
private(B) struct bpf_res_spin_lock lock_b;

struct element {
	struct bpf_res_spin_lock lock;
	int value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 40);
	__type(key, int);
	__type(value, struct element);
} elements SEC(".maps");

static __always_inline struct element *element(int key)
{
	return bpf_map_lookup_elem(&elements, &key);
}

/* The result of acquiring a lock as a text for %s. */
static __always_inline const char *outcome(int err)
{
	switch (err) {
	case 0:
		return "held";
	case -EDEADLK:
		return "-EDEADLK";
	case -ETIMEDOUT:
		return "-ETIMEDOUT";
	default:
		return "an errno that no lock may return";
	}
}

/* --- one lock, and several */

SEC("syscall")
int lock_and_unlock(void *ctx)
{
	__u32 before = preempt_count(), after;
	int err;

	err = bpf_res_spin_lock(&lock_a);
	if (err)
		return err;
	bpf_stream_printk(BPF_STDOUT, "printed under the lock\n");
	bpf_res_spin_unlock(&lock_a);
	after = preempt_count();
	bpf_stream_printk(BPF_STDOUT, "the preempt count is %s\n",
			  after == before ? "as before" : "another than before");
	return 0;
}

SEC("tc")
int two_locks(struct __sk_buff *skb)
{
	struct element *one = element(0), *two = element(1);
	int held = 0;

	if (!one || !two)
		return -1;
	if (bpf_res_spin_lock(&one->lock))
		return -2;
	held++;
	if (!bpf_res_spin_lock(&two->lock)) {
		held++;
		if (!bpf_res_spin_lock(&lock_a)) {
			held++;
			bpf_res_spin_unlock(&lock_a);
		}
		bpf_res_spin_unlock(&two->lock);
	}
	bpf_res_spin_unlock(&one->lock);
	return held;
}

/* Loops are allowed while a lock is held. */
SEC("tc")
int loop_with_lock(struct __sk_buff *skb)
{
	struct element *e = element(2);
	int i;

	if (!e)
		return -1;
	if (bpf_res_spin_lock(&e->lock))
		return -2;
	bpf_for(i, 0, 10)
		e->value += i;
	bpf_res_spin_unlock(&e->lock);
	return e->value;
}

static __noinline int lock_in_subprogram(struct element *e)
{
	return bpf_res_spin_lock(&e->lock);
}

/* A subprogram may leave a lock held for its caller. */
SEC("tc")
int lock_of_subprogram(struct __sk_buff *skb)
{
	struct element *e = element(3);

	if (!e)
		return -1;
	if (lock_in_subprogram(e))
		return -2;
	e->value++;
	bpf_res_spin_unlock(&e->lock);
	return e->value;
}

struct object {
	struct bpf_res_spin_lock lock;
	int value;
};

SEC("tc") __not_in_mainline("it has no bpf_res_spin_lock in allocated objects")
int lock_in_allocated_object(struct __sk_buff *skb)
{
	struct object *object = bpf_obj_new_impl(bpf_core_type_id_local(struct object), NULL);
	int ret = -2;

	if (!object)
		return -1;
	object->value = 7;
	if (!bpf_res_spin_lock(&object->lock)) {
		ret = ++object->value;
		bpf_res_spin_unlock(&object->lock);
	}
	bpf_obj_drop_impl(object, NULL);
	return ret;
}

static int lock_in_callback(__u32 i, int *sum)
{
	if (bpf_res_spin_lock(&lock_a))
		return 1;
	*sum += i;
	bpf_res_spin_unlock(&lock_a);
	return 0;
}

SEC("tc")
int callback_with_lock(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_loop(5, lock_in_callback, &sum, 0);
	return sum;
}

/* --- interrupts */

/* Are interrupts on? Programs may not read the flags, so this waits for a timer interrupt. */
SEC("tc")
int irqs_off_and_on(struct __sk_buff *skb)
{
	unsigned long outer, inner;
	int ret = 0;

	bpf_local_irq_save(&outer);
	bpf_local_irq_save(&inner);
	ret++;
	bpf_local_irq_restore(&inner);
	ret++;
	bpf_local_irq_restore(&outer);
	return ret;
}

static __noinline void save_to(unsigned long *flags)
{
	bpf_local_irq_save(flags);
}

static __noinline void restore_from(unsigned long *flags)
{
	bpf_local_irq_restore(flags);
}

SEC("tc")
int flags_of_caller(struct __sk_buff *skb)
{
	unsigned long flags;

	save_to(&flags);
	restore_from(&flags);
	return 0;
}

SEC("syscall")
int irqsave(void *ctx)
{
	unsigned long flags, more;
	int err;

	err = bpf_res_spin_lock_irqsave(&lock_a, &flags);
	if (err)
		return err;
	err = bpf_res_spin_lock_irqsave(&lock_b, &more);
	if (!err)
		bpf_res_spin_unlock_irqrestore(&lock_b, &more);
	bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	return err;
}

static __u32 seen;

/* In the timer interrupt. */
SEC("tp_btf/hrtimer_expire_entry")
__wait_stdout(20)
int BPF_PROG(irqsave_in_hardirq, struct hrtimer *timer, ktime_t *now)
{
	unsigned long flags;
	int err;

	if (!is_in_hardirq() || __sync_lock_test_and_set(&seen, 1))
		return 0;
	err = bpf_res_spin_lock_irqsave(&lock_a, &flags);
	if (!err)
		bpf_res_spin_unlock_irqrestore(&lock_a, &flags);
	bpf_stream_printk(BPF_STDOUT, "%s in %s context\n", outcome(err), context());
	return 0;
}

/* --- AA: this CPU already has the lock */

SEC("syscall")
int aa(void *ctx)
{
	struct element *one = element(0), *same = element(0);
	int err, ret;

	if (!one || !same)
		return -1;
	err = bpf_res_spin_lock(&one->lock);
	if (err)
		return err;
	ret = bpf_res_spin_lock(&same->lock);
	if (!ret)
		bpf_res_spin_unlock(&same->lock);
	bpf_res_spin_unlock(&one->lock);
	return ret;
}

SEC("syscall")
int aa_irqsave(void *ctx)
{
	struct element *one = element(0), *same = element(0);
	unsigned long flags, more;
	int err, ret;

	if (!one || !same)
		return -1;
	err = bpf_res_spin_lock_irqsave(&one->lock, &flags);
	if (err)
		return err;
	ret = bpf_res_spin_lock_irqsave(&same->lock, &more);
	if (!ret)
		bpf_res_spin_unlock_irqrestore(&same->lock, &more);
	bpf_res_spin_unlock_irqrestore(&one->lock, &flags);
	return ret;
}

/* Two locks are held; the outer one is acquired again. */
SEC("syscall")
int aa_of_the_outer_lock(void *ctx)
{
	struct element *one = element(0), *two = element(1), *same = element(0);
	int err, ret;

	if (!one || !two || !same)
		return -1;
	err = bpf_res_spin_lock(&one->lock);
	if (err)
		return err;
	ret = bpf_res_spin_lock(&two->lock);
	if (!ret) {
		ret = bpf_res_spin_lock(&same->lock);
		if (!ret)
			bpf_res_spin_unlock(&same->lock);
		bpf_res_spin_unlock(&two->lock);
	}
	bpf_res_spin_unlock(&one->lock);
	return ret;
}

/* A failure changes no state. */
SEC("syscall")
__repeat(3)
int lock_after_failures(void *ctx)
{
	struct element *one = element(0), *same = element(0);
	int err;

	if (!one || !same)
		return -1;
	err = bpf_res_spin_lock(&one->lock);
	if (err)
		return err;
	if (!bpf_res_spin_lock(&same->lock))
		bpf_res_spin_unlock(&same->lock);
	bpf_res_spin_unlock(&one->lock);
	return 0;
}

/* The timer interrupt acquires a lock that the interrupted CPU holds. */
static volatile bool holding, tried;
static volatile __u32 holder;
static volatile int result_on_top;

SEC("tp_btf/hrtimer_expire_entry")
__auxiliary
int BPF_PROG(on_top, struct hrtimer *timer, ktime_t *now)
{
	int err;

	if (!holding || tried || holder != bpf_get_smp_processor_id())
		return 0;
	err = bpf_res_spin_lock(&lock_b);
	if (!err)
		bpf_res_spin_unlock(&lock_b);
	result_on_top = err;
	tried = true;
	return 0;
}

SEC("syscall")
__load_with(on_top)
int aa_in_hardirq(void *ctx)
{
	int err;

	bpf_preempt_disable();
	holder = bpf_get_smp_processor_id();
	err = bpf_res_spin_lock(&lock_b);
	if (err) {
		bpf_preempt_enable();
		return err;
	}
	holding = true;
	wait_until(tried);
	holding = false;
	bpf_res_spin_unlock(&lock_b);
	bpf_preempt_enable();
	bpf_stream_printk(BPF_STDOUT, "on top: %s\n", tried ? outcome(result_on_top) : "never tried");
	return 0;
}

/* As above in an NMI, whose program gets the report. Another CPU requests the NMI from the host. */
SEC("syscall")
__auxiliary
int below(void *ctx)
{
	int err;

	err = bpf_res_spin_lock(&lock_b);
	if (err)
		return err;
	holding = true;
	wait_until(tried);
	holding = false;
	bpf_res_spin_unlock(&lock_b);
	return 0;
}

SEC("tp_btf/nmi_handler")
__requires(injected_nmi)
__requires(two_cpus)
__load_with(below)
__scenario(nmi_nested)
int BPF_PROG(aa_in_nmi, void *handler, s64 delta_ns, int handled)
{
	int err;

	if (!holding || tried)
		return 0;
	err = bpf_res_spin_lock(&lock_b);
	if (!err)
		bpf_res_spin_unlock(&lock_b);
	tried = true;
	bpf_stream_printk(BPF_STDOUT, "%s in %s context\n", outcome(err), context());
	return 0;
}

/* An NMI that acquires another lock. */
SEC("tp_btf/nmi_handler")
__requires(injected_nmi)
__requires(two_cpus)
__load_with(below)
__scenario(nmi_nested)
int BPF_PROG(other_lock_in_nmi, void *handler, s64 delta_ns, int handled)
{
	int err;

	if (!holding || tried)
		return 0;
	err = bpf_res_spin_lock(&lock_a);
	if (!err)
		bpf_res_spin_unlock(&lock_a);
	tried = true;
	bpf_stream_printk(BPF_STDOUT, "%s in %s context\n", outcome(err), context());
	return 0;
}

/* --- the table of held locks */

#define FOUND(n) struct element *e##n = element(n); if (!e##n) return -1;
#define TEN(m, t) m(t##0) m(t##1) m(t##2) m(t##3) m(t##4) m(t##5) m(t##6) m(t##7) m(t##8) m(t##9)
#define DIGITS(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9)
#define LOCK(n) if (!bpf_res_spin_lock(&e##n->lock)) { held++;
#define UNLOCK(n) bpf_res_spin_unlock(&e##n->lock); }
#define DIGITS_BACK(m) m(9) m(8) m(7) m(6) m(5) m(4) m(3) m(2) m(1) m(0)
#define TEN_BACK(m, t) m(t##9) m(t##8) m(t##7) m(t##6) m(t##5) m(t##4) m(t##3) m(t##2) m(t##1) m(t##0)

/*
 * 31 locks fit. An AA deadlock on the last of them is detected at once; one more lock can be acquired, but
 * acquiring that again only ends by the timeout.
 */
SEC("syscall") __not_in_mainline("it does not look at the last lock in a CPU's table")
int table_full(void *ctx)
{
	int held = 0, inside = 0, beyond = 0;
	struct element *same30, *same31;
	__u64 t0, t1;

	DIGITS(FOUND)
	TEN(FOUND, 1)
	TEN(FOUND, 2)
	FOUND(30)
	FOUND(31)
	same30 = element(30);
	same31 = element(31);
	if (!same30 || !same31)
		return -1;

	t0 = bpf_ktime_get_ns();
	DIGITS(LOCK)
	TEN(LOCK, 1)
	TEN(LOCK, 2)
	LOCK(30)
	LOCK(31)
	inside = bpf_res_spin_lock(&same30->lock);
	if (!inside)
		bpf_res_spin_unlock(&same30->lock);
	beyond = bpf_res_spin_lock(&same31->lock);
	if (!beyond)
		bpf_res_spin_unlock(&same31->lock);
	UNLOCK(31)
	UNLOCK(30)
	TEN_BACK(UNLOCK, 2)
	TEN_BACK(UNLOCK, 1)
	DIGITS_BACK(UNLOCK)
	t1 = bpf_ktime_get_ns();

	bpf_stream_printk(BPF_STDOUT, "%d held, the 31st again: %s, the 32nd again: %s\n", held,
			  outcome(inside), outcome(beyond));
	bpf_stream_printk(BPF_STDOUT, "that took %s than 250 ms\n",
			  t1 - t0 > 250 * 1000 * 1000 ? "more" : "less");
	return 0;
}

/* --- global functions with interrupts off: those that neither sleep nor throw */

/* Called with interrupts off, but verified with interrupts on. */
__noinline int lock_in_global(int x)
{
	unsigned long flags, more;

	bpf_local_irq_save(&flags);
	if (!bpf_res_spin_lock_irqsave(&lock_a, &more)) {
		x++;
		bpf_res_spin_unlock_irqrestore(&lock_a, &more);
	}
	bpf_local_irq_restore(&flags);
	return x;
}

SEC("tc")
int global_function_with_irqs_off(struct __sk_buff *skb)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = lock_in_global(1);
	bpf_local_irq_restore(&flags);
	return ret;
}

extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;

SEC("syscall")
int global_function_in_three_regions(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_rcu_read_lock();
	bpf_preempt_disable();
	bpf_local_irq_save(&flags);
	ret = lock_in_global(2);
	bpf_local_irq_restore(&flags);
	bpf_preempt_enable();
	bpf_rcu_read_unlock();
	return ret;
}

/* The sleeping function is called elsewhere. */
__noinline int global_that_sleeps(void)
{
	char text[8];

	return bpf_copy_from_user(text, sizeof(text), NULL);
}

SEC("syscall")
int global_functions_with_irqs_off_and_on(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = lock_in_global(3);
	bpf_local_irq_restore(&flags);
	return global_that_sleeps() ? ret : -1;
}

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, long);
} of_task SEC(".maps");

__noinline int storage_in_global(int x)
{
	long *value;

	value = bpf_task_storage_get(&of_task, bpf_get_current_task_btf(), NULL,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	return value ? x + 1 : x;
}

/* In a sleepable program with interrupts off, storage must be allocated without sleeping. */
SEC("syscall")
int storage_with_irqs_off(void *ctx)
{
	unsigned long flags;
	int ret;

	bpf_local_irq_save(&flags);
	ret = storage_in_global(4);
	bpf_local_irq_restore(&flags);
	return ret;
}
