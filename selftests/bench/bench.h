/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the programs of `make bench`. Each measures the cost of one operation, and runs under `-icount
 * shift=0` on one CPU, where one nanosecond of guest time is one instruction: the result does not depend
 * on the speed of the machine. It is in thousandths of an instruction, or negative if the operation
 * failed.
 *
 * The scenario runs a program several times, reads its text after each run, and takes the minimum: a timer
 * interrupt only adds to the cost.
 */
#ifndef __BENCH_H
#define __BENCH_H

#include "../selftest.h"

/* Subtracts the cost of the loop only: the operation's arguments are part of its cost. */
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

/* Number of repetitions, to hide the cost of reading the clock. */
#define TURNS 256

/* The cost of a successful print: the last result shows whether all had room. */
#define print_cost(print)                                             \
	({                                                            \
		int __cost = cost(TURNS, print), turn = TURNS;        \
								      \
		barrier_var(turn);                                    \
		(print) < 0 ? -1 : __cost;                            \
	})

#endif
