/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A spin lock in arena memory, which ends every wait: acquiring it can fail.
 *
 *	struct arena_spin_lock __arena *lock;
 *
 *	if (arena_spin_lock(lock))
 *		return;			// not held: -EDEADLK, -ETIMEDOUT
 *	...
 *	arena_spin_unlock(lock);
 *
 * A struct bpf_res_spin_lock cannot lie in an arena, as user space writes there and the kernel must
 * not believe what it reads. So this lock is made of BPF instructions, and the kernel's two means
 * against waiting for ever carry it:
 *
 * - Who waits for the lock's word spins in a loop with may_goto. That ends after 250 ms, with a
 *   report to the program's stderr.
 * - Only one spins on the word. The others wait for a bpf_res_spin_lock, the gate, which has them in
 *   a fair queue and gives up by itself. A gate stands in a map that user space cannot write to; there
 *   are a few, and a lock's address says which is its own. Two locks that share one cost each other
 *   time, nothing else.
 *
 * The word. Its lowest byte is 1 while the lock is held. The rest counts those who wait, at the gate
 * or past it. A lock is taken at once only if the whole word is 0, so nobody passes those who wait.
 *
 *	0 -> LOCKED			taken at once
 *	+ WAITER			before waiting
 *	w, not locked -> w - WAITER + LOCKED	taken by who is past the gate
 *	- WAITER			given up
 *	lowest byte = 0			released; a byte, so that those who come to wait are no matter
 *
 * Memory that user space has spoilt, or freed, can make acquiring fail, or succeed for two; it can
 * hang nobody.
 *
 * Order. The atomics are full barriers. What was written under the lock comes before the
 * store-release that releases it, which pairs with the cmpxchg that takes it.
 *
 * Preemption is off while the lock is held or waited for: a holder that does not run would keep all
 * others waiting. That is also how a program can know that the CPU has the lock already, as what it
 * interrupted, or by a mistake of its own: `holder` names the CPU, and is true if it names this one.
 *
 * Each of the functions here has a frame of its own, as the 250 ms of may_goto count for a frame: a
 * caller that takes locks in a loop would use them up otherwise.
 */
#ifndef __ARENA_SPIN_LOCK_H
#define __ARENA_SPIN_LOCK_H

#include "acqrel.h"
#include "arena.h"

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

/* All zeros: nobody holds it. */
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

/* Wait for the word, of those who wait the only one. Not a call is allowed, with the gate held. */
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
 * 0: the lock is held, and preemption off. Else it is not: -EDEADLK, this CPU has it; -ETIMEDOUT, it
 * stayed held for 250 ms; or what the gate's bpf_res_spin_lock() says. All but a lock that this CPU
 * has is reported to stderr.
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

/* True: the lock is held, and preemption off. It was free, and nobody waited for it. */
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
