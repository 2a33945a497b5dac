// SPDX-License-Identifier: GPL-2.0-only
/* The cost of the kernel's reports, and of loops with may_goto. */
#include "bench.h"
#include "../arena.h"

/* Few enough that the reports of a round fit mainline's streams. */
SEC("syscall")
__scenario(bench)
int arena_fault(void *ctx)
{
	__u64 *pointer = in_arena(PAGE(1));

	return cost(64, asm volatile("r1 = *(u64 *)(%0 + 0)" : : "r"(pointer) : "r1", "memory"));
}

/* Hides the number of iterations from the verifier, which would follow each of them. */
int first_turn, last_turn = 1 << 20;

/* One iteration of a loop, with its counter. */
SEC("syscall")
__scenario(bench)
int may_goto_turn(void *ctx)
{
	int turn, last = last_turn;
	__u64 begin;

	begin = bpf_ktime_get_ns();
	for (turn = first_turn; turn < last; turn++) {
		barrier_var(turn);
		may_goto(out);
	}
	return (bpf_ktime_get_ns() - begin) * 1000 >> 20;
out:
	return -1;
}
