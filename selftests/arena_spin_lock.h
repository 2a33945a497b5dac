/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A spin lock in arena memory with bounded waiting: acquiring it can fail.
 *
 *	struct arena_spin_lock __arena *lock;
 *
 *	if (arena_spin_lock(lock))
 *		return;			// not held: -EDEADLK, -ETIMEDOUT
 *	...
 *	arena_spin_unlock(lock);
 *
 * A struct bpf_res_spin_lock cannot be in an arena: user space can write there, and the kernel must
 * not trust it. So this lock consists of BPF instructions and relies on two bounded waits of the
 * kernel:
 *
 * - The waiter for the lock's word spins in a loop with may_goto, which ends after 250 ms with a
 *   report to the program's stderr.
 * - Only one waiter spins on the word. The others wait for a bpf_res_spin_lock, the gate, which queues
 *   them fairly and has its own time limit. The gates are in a map that user space cannot write to;
 *   there are a few of them, and a lock's address selects its gate. Two locks that share a gate only
 *   slow each other down.
 *
 * The word: its lowest byte is 1 while the lock is held, the other bits count the waiters, at the gate or
 * past it. A lock is taken at once only if the whole word is 0, so that nobody overtakes a waiter.
 *
 *	0 -> LOCKED			taken at once
 *	+ WAITER			before waiting
 *	w, not locked -> w - WAITER + LOCKED	taken by the waiter that is past the gate
 *	- WAITER			waiter has given up
 *	lowest byte = 0			released; a byte store, so that new waiters do not interfere
 *
 * Memory corrupted or freed by user space can make acquiring fail, or succeed for two CPUs; it cannot make
 * any CPU hang.
 *
 * Ordering: the atomics are full barriers. Writes under the lock come before the store-release that
 * releases it (A), which pairs with the cmpxchg that takes it (B).
 *
 * Preemption is off while the lock is held or waited for, as a holder that is not running would block all
 * others. This also makes AA deadlocks detectable: `holder` is the CPU that has the lock, so a program that
 * finds its own CPU there must not wait.
 *
 * Each function has its own frame, as may_goto counts its 250 ms per frame: otherwise a caller that takes
 * locks in a loop would use them up.
 */
#ifndef __ARENA_SPIN_LOCK_H
#define __ARENA_SPIN_LOCK_H

#include "acqrel.h"
#include "arena.h"

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

/* All zeros: not held. */
struct arena_spin_lock {
	__u32 word;
	__u32 holder; /* the CPU that holds it, plus 1; written by that CPU only */
};

#define ARENA_LOCK_LOCKED 0x01U
#define ARENA_LOCK_HELD_MASK 0xffU
#define ARENA_LOCK_WAITER 0x100U

#define ARENA_LOCK_EDEADLK 35
#define ARENA_LOCK_ETIMEDOUT 110

#define ARENA_LOCK_GATES 16 /* a power of two */

struct arena_lock_gate {
	struct bpf_res_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ARENA_LOCK_GATES);
	__type(key, __u32);
	__type(value, struct arena_lock_gate);
} arena_lock_gates SEC(".maps");

static __always_inline bool arena_lock_take_if(struct arena_spin_lock __arena *lock, __u32 old,
					       __u32 new)
{
	if (__sync_val_compare_and_swap(&lock->word, old, new) != old)
		return false;
	lock->holder = bpf_get_smp_processor_id() + 1;
	return true;
}

/* Wait for the word, as its only waiter. No calls are allowed here, as the gate is held. */
static __always_inline bool arena_lock_word(struct arena_spin_lock __arena *lock)
{
	__u32 old;

	for (;;) {
		old = load_acquire(u32, (void *)&lock->word, 0);
		if (!(old & ARENA_LOCK_HELD_MASK) &&
		    __sync_val_compare_and_swap(&lock->word, old,
						old - ARENA_LOCK_WAITER + ARENA_LOCK_LOCKED) == old)
			return true;
		may_goto(too_long);
	}
too_long:
	return false;
}

/* Wait at the gate, then for the word. */
static __noinline int arena_lock_wait(struct arena_spin_lock __arena *lock)
{
	__u32 key = ((__u64)lock / sizeof(*lock)) & (ARENA_LOCK_GATES - 1);
	struct arena_lock_gate *gate = bpf_map_lookup_elem(&arena_lock_gates, &key);
	__u32 self = bpf_get_smp_processor_id() + 1;
	bool held;
	int err;

	if (!gate || lock->holder == self)
		return -ARENA_LOCK_EDEADLK;

	__sync_fetch_and_add(&lock->word, ARENA_LOCK_WAITER);
	err = bpf_res_spin_lock(&gate->lock);
	if (!err) {
		held = arena_lock_word(lock);
		bpf_res_spin_unlock(&gate->lock);
		if (held) {
			lock->holder = self;
			return 0;
		}
		err = -ARENA_LOCK_ETIMEDOUT;
	}
	__sync_fetch_and_add(&lock->word, -ARENA_LOCK_WAITER);
	return err;
}

/*
 * Returns 0 with the lock held and preemption off. Errors: -EDEADLK, this CPU already holds it; -ETIMEDOUT,
 * held by another CPU for 250 ms; or the error of the gate's bpf_res_spin_lock(). All errors but the AA
 * deadlock are reported to stderr.
 */
static __noinline int arena_spin_lock(struct arena_spin_lock __arena *lock)
{
	int err;

	bpf_preempt_disable();
	if (arena_lock_take_if(lock, 0, ARENA_LOCK_LOCKED))
		return 0;
	err = arena_lock_wait(lock);
	if (err)
		bpf_preempt_enable();
	return err;
}

/* Returns true with the lock held and preemption off, if it was free and had no waiters. */
static __noinline bool arena_spin_trylock(struct arena_spin_lock __arena *lock)
{
	bpf_preempt_disable();
	if (arena_lock_take_if(lock, 0, ARENA_LOCK_LOCKED))
		return true;
	bpf_preempt_enable();
	return false;
}

static __noinline void arena_spin_unlock(struct arena_spin_lock __arena *lock)
{
	lock->holder = 0;
	store_release(u8, (void *)&lock->word, 0, 0);
	bpf_preempt_enable();
}

#endif
