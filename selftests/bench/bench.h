/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of `make bench` share. Each takes the cost of one operation, and is run under
 * `-icount shift=0` on one CPU, where a nanosecond of the guest is one instruction: so what a program
 * returns does not depend on the machine's speed. It returns thousandths of an instruction,
 * or a negative number where the operation did not do what is to be measured.
 *
 * The scenario runs a program several times, reads what it printed after each, and takes the least:
 * an interrupt of the clock can only add to it.
 */
#ifndef __BENCH_H
#define __BENCH_H

#include "../selftest.h"

/* Nothing but the loop is taken off: the operation's own arguments belong to it. */
#define cost(turns, operation)                                       \
	({                                                           \
		__u64 __begin, __empty, __took;                      \
		int turn;                                            \
								     \
		__begin = bpf_ktime_get_ns();                        \
		bpf_for(turn, 0, turns)                              \
			barrier_var(turn);                           \
		__empty = bpf_ktime_get_ns() - __begin;              \
		__begin = bpf_ktime_get_ns();                        \
		bpf_for(turn, 0, turns) {                            \
			operation;                                   \
		}                                                    \
		__took = bpf_ktime_get_ns() - __begin;               \
		(int)((__took - __empty) * 1000 / (turns));          \
	})

/* How often an operation is repeated: the clock itself costs something. */
#define TURNS 256

/* What a print costs that works: one after the others says whether they had room. */
#define print_cost(print)                                             \
	({                                                            \
		int __cost = cost(TURNS, print), turn = TURNS;        \
								      \
		barrier_var(turn);                                    \
		(print) < 0 ? -1 : __cost;                            \
	})

#endif
