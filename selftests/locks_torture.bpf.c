// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acquires locks in random order, in every context, on every CPU, for STRESS seconds:
 * one to three nested locks, with interrupts on or off. This causes AA and ABBA
 * deadlocks, cycles and timeouts. Each failure must be reported, each acquisition must
 * exclude all others, and at the end no lock is held and no CPU's table of held locks
 * has an entry.
 */
#include "selftest.h"

extern const struct rqspinlock_held rqspinlock_held_locks __ksym;

#define EDEADLK 35
#define ETIMEDOUT 110

#define LOCKS 8 /* a power of two */

struct element {
	struct bpf_res_spin_lock lock;
	__u64 count; /* not atomic: only the lock makes it right */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOCKS);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

/* The number of CPUs; the agent sets it before the object is loaded. */
const volatile __u32 cpus;

/* Acquisitions of each lock; atomic, counted after the release. */
static __u64 acquired[LOCKS];

/* Results of a program's rounds. */
struct tally {
	__u64 rounds;
	__u64 deadlocks;
	__u64 timeouts;
	__u64 others;
};

static struct tally of_process, of_timers, of_tracing, of_nmis;

static volatile bool stopped, with_nmis;

static __always_inline struct element *element(__u32 key)
{
	return bpf_map_lookup_elem(&elements, &key);
}

static __always_inline void count(__u64 *what)
{
	__sync_fetch_and_add(what, 1);
}

static __always_inline void count_failure(struct tally *tally, int err)
{
	count(err == -EDEADLK	? &tally->deadlocks :
	      err == -ETIMEDOUT ? &tally->timeouts :
				  &tally->others);
}

/* Acquires the lock, with interrupts off if `irqs_off`, and continues; `err` is the result. */
#define with_lock(element, irqs_off, err, ...)                                           \
	do {                                                                             \
		unsigned long flags;                                                     \
											 \
		if (irqs_off) {                                                          \
			err = bpf_res_spin_lock_irqsave(&(element)->lock, &flags);       \
			if (err)                                                         \
				break;                                                   \
			(element)->count++;                                              \
			__VA_ARGS__;                                                     \
			bpf_res_spin_unlock_irqrestore(&(element)->lock, &flags);        \
		} else {                                                                 \
			err = bpf_res_spin_lock(&(element)->lock);                       \
			if (err)                                                         \
				break;                                                   \
			(element)->count++;                                              \
			__VA_ARGS__;                                                     \
			bpf_res_spin_unlock(&(element)->lock);                           \
		}                                                                        \
	} while (0)

static __always_inline void hold(int rounds)
{
	int i;

	bpf_for(i, 0, rounds)
		barrier();
}

/* One to three random locks, which may be the same. */
static __noinline int play(struct tally *tally)
{
	__u32 dice = bpf_get_prandom_u32();
	__u32 a = dice % LOCKS, b = dice / LOCKS % LOCKS, c = dice / LOCKS / LOCKS % LOCKS;
	struct element *first = element(a), *second = element(b), *third = element(c);
	/* 1: not tried */
	int err_a = 1, err_b = 1, err_c = 1;
	bool two = dice >> 16 & 3, three = dice >> 18 & 1;

	if (!first || !second || !third)
		return 0;
	with_lock(first, dice >> 20 & 1, err_a,
		if (two)
			with_lock(second, dice >> 21 & 1, err_b,
				if (three)
					with_lock(third, dice >> 22 & 1, err_c, hold(20));
				else
					hold(dice >> 24 & 63)));

	count(&tally->rounds);
	if (err_a)
		count_failure(tally, err_a);
	else
		count(&acquired[a]);
	if (err_b < 0)
		count_failure(tally, err_b);
	else if (!err_b)
		count(&acquired[b]);
	if (err_c < 0)
		count_failure(tally, err_c);
	else if (!err_c)
		count(&acquired[c]);
	return 0;
}

/* --- the contexts */

static __noinline int play_as_process(void)
{
	int i, rounds = 100 / cpus; /* each waits for all the others */

	bpf_for(i, 0, rounds)
		play(&of_process);
	return 0;
}

/* A timer callback: interrupts are off, whatever the CPU was doing. */
SEC("tp_btf/hrtimer_expire_entry")
__auxiliary
int tracing(void *ctx)
{
	if (!stopped)
		play(&of_tracing);
	return 0;
}

/* In an NMI, on top of any other context. */
SEC("tp_btf/nmi_handler")
__auxiliary
int nmi(void *ctx)
{
	if (!stopped)
		play(&of_nmis);
	return 0;
}

struct timed {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8); /* as many as base.config has CPUs */
	__type(key, __u32);
	__type(value, struct timed);
} timers SEC(".maps");

#define MICROSECOND 1000

/* In a softirq. */
static int expired(void *map, __u32 *key, struct timed *timed)
{
	play(&of_timers);
	if (!stopped)
		bpf_timer_start(&timed->timer, cpus * 300 * MICROSECOND, BPF_F_TIMER_CPU_PIN);
	return 0;
}

/* Starts the timer of this CPU. */
SEC("syscall")
__auxiliary
int start_timer(void *ctx)
{
	__u32 key = bpf_get_smp_processor_id();
	struct timed *timed = bpf_map_lookup_elem(&timers, &key);
	int err;

	stopped = false;
	if (!timed)
		return -1;
	bpf_timer_init(&timed->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	err = bpf_timer_set_callback(&timed->timer, expired);
	return err ?: bpf_timer_start(&timed->timer, 0, BPF_F_TIMER_CPU_PIN);
}

SEC("syscall")
__auxiliary
int stop(void *ctx)
{
	struct timed *timed;
	__u32 key;
	int i;

	stopped = true;
	bpf_for(i, 0, 8) {
		key = i;
		timed = bpf_map_lookup_elem(&timers, &key);
		if (timed)
			bpf_timer_cancel(&timed->timer);
	}
	return 0;
}

static __always_inline __u64 timeouts(void)
{
	return *(volatile __u64 *)&of_process.timeouts + *(volatile __u64 *)&of_timers.timeouts +
	       *(volatile __u64 *)&of_tracing.timeouts + *(volatile __u64 *)&of_nmis.timeouts;
}

/* Holds a lock until a waiter has timed out. Returns 1 if it could not acquire the lock. */
SEC("syscall")
__auxiliary
int stubborn(void *ctx)
{
	struct element *e = element(0);
	__u64 before = timeouts();
	int err;

	if (!e || cpus < 2)
		return 0;
	err = bpf_res_spin_lock(&e->lock);
	if (err) {
		count_failure(&of_process, err);
		return 1;
	}
	e->count++;
	wait_until(timeouts() != before);
	bpf_res_spin_unlock(&e->lock);
	count(&acquired[0]);
	return 0;
}

/* --- final checks */

static __noinline void tell(const char *what, __u64 wrong)
{
	bpf_stream_printk(BPF_STDOUT, "%s: %s\n", what, wrong ? "NO" : "yes");
}

static __always_inline __u64 failures(const struct tally *tally)
{
	return tally->deadlocks + tally->timeouts + tally->others;
}

#define figures(name, tally)                                                                    \
	bpf_stream_printk(BPF_STDERR, name ": %llu rounds, %llu deadlocks, %llu time-outs\n", \
			  (tally)->rounds, (tally)->deadlocks, (tally)->timeouts)

/* Counts of errors; not on the stack, where the verifier would track all of their values. */
static volatile __u32 miscounted, locked, listed;

/* After all programs have ended. The figures differ from run to run, so they go to stderr. */
SEC("syscall")
__auxiliary
int balance(void *ctx)
{
	const struct rqspinlock_held *held;
	struct element *e;
	__u64 idle, others;
	int i;

	bpf_for(i, 0, LOCKS) {
		e = element(i);
		if (!e)
			return -1;
		if (bpf_res_spin_lock(&e->lock)) {
			locked++;
			continue;
		}
		/* the checks above must have had something to check */
		if (e->count != acquired[i & (LOCKS - 1)] || !e->count)
			miscounted++;
		bpf_res_spin_unlock(&e->lock);
	}
	bpf_for(i, 0, (int)cpus) {
		held = bpf_per_cpu_ptr(&rqspinlock_held_locks, i);
		if (!held || held->cnt || held->locks[0] || held->locks[1] || held->locks[2])
			listed++;
	}
	idle = !of_process.rounds + !of_timers.rounds + !of_tracing.rounds +
	       (with_nmis && !of_nmis.rounds);
	others = of_process.others + of_timers.others + of_tracing.others + of_nmis.others;
	tell("each acquisition was counted", miscounted);
	tell("every lock is free", locked);
	tell("every CPU's table is empty", listed);
	tell("every context took locks", idle);
	tell("taking a lock twice failed", !of_process.deadlocks);
	tell("waiting for too long failed, where there are others", cpus > 1 && !timeouts());
	tell("each failure was a deadlock or a time-out", others);
	figures("process", &of_process);
	figures("timers", &of_timers);
	figures("tracing", &of_tracing);
	figures("NMIs", &of_nmis);
	return failures(&of_process) + failures(&of_timers) + failures(&of_tracing) +
	       failures(&of_nmis);
}

/* --- the tests, which the scenario runs on every CPU repeatedly */

SEC("syscall") __requires(bpf_timer) __not_in_mainline("reports that do not fit its streams are lost without a word")
__load_with(tracing)
__load_with(start_timer)
__load_with(stop)
__load_with(stubborn)
__load_with(balance)
__scenario(lock_torture)
int torture(void *ctx)
{
	return play_as_process();
}

SEC("syscall") __requires(bpf_timer) __not_in_mainline("reports that do not fit its streams are lost without a word")
__requires(injected_nmi)
__load_with(tracing)
__load_with(nmi)
__load_with(start_timer)
__load_with(stop)
__load_with(stubborn)
__load_with(balance)
__scenario(lock_torture_nmi)
int torture_nmi(void *ctx)
{
	with_nmis = true;
	return play_as_process();
}
