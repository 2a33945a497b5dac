// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_res_spin_lock between CPUs. The scenario runs a program on all CPUs at the same time; the program
 * returns how often it failed to acquire a lock, and the kernel must have reported each failure.
 */
#include "selftest.h"
#include <bpf/bpf_core_read.h>

#define EDEADLK 35
#define ETIMEDOUT 110
#define MILLISECOND (1000 * 1000)

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_res_spin_lock lock;

struct element {
	struct bpf_res_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

/* The number of CPUs; the agent sets it before the object is loaded. */
const volatile __u32 cpus;

/* Numbers of programs that have started, and that have ended. */
static volatile __u32 arrived, through;

static __always_inline __u32 arrive(volatile __u32 *at)
{
	return __sync_fetch_and_add(at, 1);
}

/* --- mutual exclusion, and no starvation */

/* Bounded by time, as waiting for CPUs that are not running takes long. */
#define ROUNDS 10000
#define TIME (300 * MILLISECOND)

/* Not atomic, and slow, so that others interfere: only the lock makes the sum right. */
static volatile __u32 counter;

static __always_inline void count(void)
{
	__u32 before = counter;
	int i;

	bpf_for(i, 0, 20)
		barrier();
	counter = before + 1;
}

/* Rounds in which the lock was acquired. */
static volatile __u32 held;

static __noinline void last_one_tells(void)
{
	if (arrive(&through) + 1 == cpus)
		bpf_stream_printk(BPF_STDOUT, "%s\n",
				  held && counter == held ? "each round was counted" :
							    "the count is wrong");
}

SEC("syscall")
__scenario(each_cpu_count_only)
int exclusion(void *ctx)
{
	int i, failures = 0;
	__u64 until;

	arrive(&arrived);
	wait_until(arrived >= cpus);
	until = bpf_ktime_get_ns() + TIME;
	bpf_for(i, 0, ROUNDS) {
		if (bpf_ktime_get_ns() > until)
			break;
		if (bpf_res_spin_lock(&lock)) {
			failures++;
			continue;
		}
		count();
		bpf_res_spin_unlock(&lock);
		arrive(&held);
	}
	last_one_tells();
	return failures;
}

SEC("syscall")
__scenario(each_cpu_count_only)
int exclusion_irqsave(void *ctx)
{
	int i, failures = 0;
	unsigned long flags;
	__u64 until;

	arrive(&arrived);
	wait_until(arrived >= cpus);
	until = bpf_ktime_get_ns() + TIME;
	bpf_for(i, 0, ROUNDS) {
		if (bpf_ktime_get_ns() > until)
			break;
		if (bpf_res_spin_lock_irqsave(&lock, &flags)) {
			failures++;
			continue;
		}
		count();
		bpf_res_spin_unlock_irqrestore(&lock, &flags);
		arrive(&held);
	}
	last_one_tells();
	return failures;
}

/* --- fairness */

extern void *bpf_rdonly_cast(const void *obj__ign, __u32 btf_id__k) __weak __ksym;

/* The field of the lock's word with the tail of its queue (kernel/bpf/rqspinlock.c). */
#define TAIL ~0xffU

/*
 * Enough rounds to see a queue often: on a busy host the guest's CPUs run one after the other for long, and
 * nobody waits. Also bounded by time: with more CPUs than the host has, the next CPU in the queue is often
 * not running, and the others wait for it.
 */
#define FAIR_ENOUGH 100
#define FAIR_TIME (10000ULL * MILLISECOND)
#define FAIR_ROUNDS (1 << 23)

/* The CPU that had the lock last plus 1, and whether its queue had waiters then. */
static volatile __u32 last;
static volatile bool somebody_queued;

/* Releases of a lock with waiters, those that overtook a waiter, and waiters that gave up. */
static volatile __u32 releases, passed, left;

/*
 * Waiters are not overtaken: a CPU that releases the lock and acquires it again at once gets it after the
 * waiter, unless the waiter has given up.
 */
SEC("syscall") __not_in_mainline_on(x86_64, "in a virtual machine those who wait for a lock do not queue up")
__requires(two_cpus)
__scenario(each_cpu_queued)
int fairness(void *ctx)
{
	const struct bpf_res_spin_lock *word =
		bpf_rdonly_cast((void *)&lock, bpf_core_type_id_kernel(struct bpf_res_spin_lock));
	__u32 self = bpf_get_smp_processor_id();
	int i, j, failures = 0;
	__u64 until;

	arrive(&arrived);
	wait_until(arrived >= cpus);
	until = bpf_ktime_get_ns() + FAIR_TIME;
	bpf_for(i, 0, FAIR_ROUNDS) {
		if (releases >= FAIR_ENOUGH || bpf_ktime_get_ns() > until)
			break;
		if (bpf_res_spin_lock(&lock)) {
			arrive(&left);
			failures++;
			continue;
		}
		if (somebody_queued) {
			releases++;
			if (last == self + 1)
				passed++;
		}
		last = self + 1;
		/* time for others to queue */
		bpf_for(j, 0, 100)
			barrier();
		somebody_queued = word->val & TAIL;
		bpf_res_spin_unlock(&lock);
	}
	if (arrive(&through) + 1 == cpus)
		bpf_stream_printk(BPF_STDOUT, "%s, %s\n",
				  releases >= FAIR_ENOUGH ? "many queued" : "nobody queued",
				  passed <= left ? "nobody was passed" : "somebody was passed");
	return failures;
}

/* --- ABBA */

/* Each of two CPUs acquires its lock, waits until the other has its own, and acquires that. */
SEC("syscall")
__requires(two_cpus)
__scenario(each_cpu)
int abba(void *ctx)
{
	__u32 own = arrive(&arrived), others = !own;
	struct element *first, *second;
	__u64 before, after;
	int err;

	if (own > 1)
		return 0;
	first = bpf_map_lookup_elem(&elements, &own);
	second = bpf_map_lookup_elem(&elements, &others);
	if (!first || !second)
		return -1;
	before = bpf_ktime_get_ns();
	if (bpf_res_spin_lock(&first->lock))
		return -1;
	arrive(&through);
	wait_until(through >= 2);
	err = bpf_res_spin_lock(&second->lock);
	if (!err)
		bpf_res_spin_unlock(&second->lock);
	bpf_res_spin_unlock(&first->lock);
	after = bpf_ktime_get_ns();

	/* one or both must have failed; the last CPU checks it, so the result is stored before */
	if (err)
		__sync_fetch_and_add(&counter, 1);
	if (arrive(&arrived) + 1 == cpus + 2 && !counter)
		bpf_stream_printk(BPF_STDOUT, "nobody gave way\n");
	if (err && err != -EDEADLK)
		bpf_stream_printk(BPF_STDOUT, "wrong error: %d\n", err);
	if (err && after - before > 250 * MILLISECOND)
		bpf_stream_printk(BPF_STDOUT, "found by the clock\n");
	return err != 0;
}

/*
 * Each of three CPUs acquires its lock and then that of the next: no CPU's table shows this cycle, so one
 * of them must time out. It then releases its lock, and the others continue.
 */
SEC("syscall")
__requires(three_cpus)
__scenario(each_cpu_count_only)
int chain_of_three(void *ctx)
{
	__u32 own = arrive(&arrived), next = own < 2 ? own + 1 : 0;
	struct element *first, *second;
	int err;

	if (own > 2)
		return 0;
	first = bpf_map_lookup_elem(&elements, &own);
	second = bpf_map_lookup_elem(&elements, &next);
	if (!first || !second)
		return -1;
	if (bpf_res_spin_lock(&first->lock))
		return -1;
	arrive(&through);
	wait_until(through >= 3);
	err = bpf_res_spin_lock(&second->lock);
	if (!err)
		bpf_res_spin_unlock(&second->lock);
	bpf_res_spin_unlock(&first->lock);

	if (err && !arrive(&counter))
		bpf_stream_printk(BPF_STDOUT, "%s\n",
				  err == -ETIMEDOUT ? "-ETIMEDOUT" : "another error");
	return err != 0;
}

/* --- timeout */

static volatile bool gave_up;

/* One CPU holds the lock until the other has failed to acquire it. */
SEC("syscall")
__requires(two_cpus)
__scenario(each_cpu)
int timeout(void *ctx)
{
	__u32 role = arrive(&arrived);
	__u64 before, after;
	int err;

	if (role > 1)
		return 0;
	if (role == 0) {
		if (bpf_res_spin_lock(&lock))
			return -1;
		arrive(&through);
		wait_until(gave_up);
		bpf_res_spin_unlock(&lock);
		return 0;
	}
	wait_until(through);
	before = bpf_ktime_get_ns();
	err = bpf_res_spin_lock(&lock);
	if (!err)
		bpf_res_spin_unlock(&lock);
	after = bpf_ktime_get_ns();
	gave_up = true;
	bpf_stream_printk(BPF_STDOUT, "%s after %s than 250 ms\n",
			  err == -ETIMEDOUT ? "-ETIMEDOUT" : "another result",
			  after - before > 250 * MILLISECOND ? "more" : "less");
	return err != 0;
}

/* --- locks in map elements that are replaced and deleted */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct element);
} preallocated SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct element);
} allocated SEC(".maps");

/*
 * One CPU replaces and deletes the element, the others lock it. The memory of an element may be initialised
 * again while its lock is held or waited for; the only requirements are that no CPU waits forever, and that
 * every failure is reported.
 */
#define come_and_go(map)                                                      \
	({                                                                    \
		__u32 role = arrive(&arrived), key = 0;                       \
		struct element new = {}, *e;                                  \
		int __round, failures = 0;                                    \
									      \
		wait_until(arrived >= cpus);                                  \
		bpf_for(__round, 0, ROUNDS) {                                 \
			if (role == 0) {                                      \
				bpf_map_update_elem(map, &key, &new, BPF_ANY); \
				if (__round & 1)                              \
					bpf_map_delete_elem(map, &key);       \
				continue;                                     \
			}                                                     \
			e = bpf_map_lookup_elem(map, &key);                   \
			if (!e)                                               \
				continue;                                     \
			if (bpf_res_spin_lock(&e->lock))                      \
				failures++;                                   \
			else                                                  \
				bpf_res_spin_unlock(&e->lock);                \
		}                                                             \
		failures;                                                     \
	})

SEC("syscall")
__scenario(each_cpu_count_only)
int preallocated_element(void *ctx)
{
	return come_and_go(&preallocated);
}

SEC("syscall")
__scenario(each_cpu_count_only)
int allocated_element(void *ctx)
{
	return come_and_go(&allocated);
}
