// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arena spin lock of arena_spin_lock.h: mutual exclusion and bounded waiting. Programs
 * that the scenario runs on all CPUs return how often acquiring a lock failed with a
 * report.
 */
#include "arena_spin_lock.h"

#define MILLISECOND (1000 * 1000)

/* Adjacent at the start of the arena: a lock, and the data that it protects. */
struct guarded {
	struct arena_spin_lock lock;
	__u64 count;
};

#define guarded(number) ((struct guarded __arena *)in_arena(PAGE(0)) + (number))

/* The number of CPUs; the agent sets it before the object is loaded. */
const volatile __u32 cpus;

/* Numbers of programs that have started, and that have ended. */
static volatile __u32 arrived, through;

static __always_inline __u32 arrive(volatile __u32 *at)
{
	return __sync_fetch_and_add(at, 1);
}

static __always_inline const char *outcome(int err)
{
	switch (err) {
	case 0:
		return "held";
	case -ARENA_LOCK_EDEADLK:
		return "-EDEADLK";
	case -ARENA_LOCK_ETIMEDOUT:
		return "-ETIMEDOUT";
	default:
		return "another error";
	}
}

/* --- one CPU */

SEC("syscall")
int lock_and_unlock(void *ctx)
{
	struct guarded __arena *it;
	__u32 before = preempt_count(), within;
	int err;

	map_page(PAGE(0));
	it = guarded(0);
	err = arena_spin_lock(&it->lock);
	if (err)
		return err;
	within = preempt_count();
	it->count++;
	arena_spin_unlock(&it->lock);
	bpf_stream_printk(BPF_STDOUT, "preemption is %s under the lock, %s after it\n",
			  within == before + 1 ? "off" : "as before",
			  preempt_count() == before ? "as before" : "off");
	return it->count;
}

SEC("syscall")
int trylock(void *ctx)
{
	struct guarded __arena *it;
	__u32 before = preempt_count();
	bool first, second, third;

	map_page(PAGE(0));
	it = guarded(0);
	first = arena_spin_trylock(&it->lock);
	second = arena_spin_trylock(&it->lock);
	if (second)
		arena_spin_unlock(&it->lock);
	if (first)
		arena_spin_unlock(&it->lock);
	third = arena_spin_trylock(&it->lock);
	if (third)
		arena_spin_unlock(&it->lock);
	bpf_stream_printk(BPF_STDOUT, "free: %s, held: %s, free again: %s\n", first ? "got" : "not",
			  second ? "got" : "not", third ? "got" : "not");
	bpf_stream_printk(BPF_STDOUT, "the preempt count is %s\n",
			  preempt_count() == before ? "as before" : "another than before");
	return 0;
}

/* This CPU already has the lock: detected at once and not reported, as nothing waited. */
SEC("syscall")
int aa(void *ctx)
{
	struct guarded __arena *it;
	int err, again;
	__u64 before;

	map_page(PAGE(0));
	it = guarded(0);
	before = bpf_ktime_get_ns();
	err = arena_spin_lock(&it->lock);
	if (err)
		return err;
	again = arena_spin_lock(&it->lock);
	if (!again)
		arena_spin_unlock(&it->lock);
	arena_spin_unlock(&it->lock);
	bpf_stream_printk(BPF_STDOUT, "again: %s, after %s than 250 ms\n", outcome(again),
			  bpf_ktime_get_ns() - before > 250 * MILLISECOND ? "more" : "less");
	err = arena_spin_lock(&it->lock);
	if (!err)
		arena_spin_unlock(&it->lock);
	return err;
}

/*
 * A word that says that the lock is held, although nobody holds it, as user space may write it: the wait
 * must end.
 */
SEC("syscall")
int spoilt(void *ctx)
{
	struct guarded __arena *it;
	int first, second;

	map_page(PAGE(0));
	it = guarded(0);
	it->lock.word = ARENA_LOCK_LOCKED;
	first = arena_spin_lock(&it->lock);
	if (!first)
		arena_spin_unlock(&it->lock);
	it->lock.word &= ~ARENA_LOCK_HELD_MASK;
	second = arena_spin_lock(&it->lock);
	if (!second)
		arena_spin_unlock(&it->lock);
	bpf_stream_printk(BPF_STDOUT, "spoilt: %s, set right: %s\n", outcome(first),
			  outcome(second));
	return it->lock.word;
}

/* --- several CPUs */

/* Bounded by time, as waiting for CPUs that are not running takes long. */
#define ROUNDS 10000
#define TIME (300 * MILLISECOND)

/* Rounds in which the lock was acquired. */
static volatile __u32 held;

/* Not atomic, and slow, so that others interfere: only the lock makes the count right. */
static __always_inline void count(struct guarded __arena *it)
{
	__u64 before = *(volatile __u64 __arena *)&it->count;
	int i;

	bpf_for(i, 0, 20)
		barrier();
	*(volatile __u64 __arena *)&it->count = before + 1;
}

SEC("syscall")
__scenario(each_cpu_count_only)
int exclusion(void *ctx)
{
	struct guarded __arena *it;
	int i, err, failures = 0;
	__u64 until;

	map_page(PAGE(0));
	it = guarded(0);
	arrive(&arrived);
	wait_until(arrived >= cpus);
	until = bpf_ktime_get_ns() + TIME;
	bpf_for(i, 0, ROUNDS) {
		if (bpf_ktime_get_ns() > until)
			break;
		err = arena_spin_lock(&it->lock);
		if (err) {
			failures++;
			continue;
		}
		count(it);
		arena_spin_unlock(&it->lock);
		arrive(&held);
	}
	if (arrive(&through) + 1 == cpus)
		bpf_stream_printk(BPF_STDOUT, "%s, %s\n",
				  held && it->count == held ? "each round was counted" :
							      "the count is wrong",
				  it->lock.word ? "somebody has the lock" : "nobody has the lock");
	return failures;
}

static volatile bool gave_up;

/* One CPU holds the lock until the other has failed to acquire it. */
SEC("syscall")
__requires(two_cpus)
__scenario(each_cpu)
int timeout(void *ctx)
{
	__u32 role = arrive(&arrived);
	struct guarded __arena *it;
	__u64 before, after;
	int err;

	map_page(PAGE(0));
	it = guarded(0);
	if (role > 1)
		return 0;
	if (role == 0) {
		if (arena_spin_lock(&it->lock))
			return -1;
		arrive(&through);
		wait_until(gave_up);
		arena_spin_unlock(&it->lock);
		return 0;
	}
	wait_until(through);
	before = bpf_ktime_get_ns();
	err = arena_spin_lock(&it->lock);
	if (!err)
		arena_spin_unlock(&it->lock);
	after = bpf_ktime_get_ns();
	gave_up = true;
	bpf_stream_printk(BPF_STDOUT, "%s after %s than 250 ms\n", outcome(err),
			  after - before > 250 * MILLISECOND ? "more" : "less");
	return err != 0;
}

/* Each of two CPUs has a lock and wants the other's: the first to fail releases its own. */
SEC("syscall")
__requires(two_cpus)
__scenario(each_cpu_count_only)
int abba(void *ctx)
{
	__u32 own = arrive(&arrived);
	struct guarded __arena *first, *second;
	int err;

	map_page(PAGE(0));
	if (own > 1)
		return 0;
	first = guarded(own);
	second = guarded(!own);
	if (arena_spin_lock(&first->lock))
		return -1;
	arrive(&through);
	wait_until(through >= 2);
	err = arena_spin_lock(&second->lock);
	if (!err)
		arena_spin_unlock(&second->lock);
	arena_spin_unlock(&first->lock);
	if (err && !arrive(&held))
		bpf_stream_printk(BPF_STDOUT, "%s\n", outcome(err));
	return err != 0;
}
