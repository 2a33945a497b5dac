// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel's own reports cost, and the loops that it watches. */
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

/* The verifier is not to know how often the loop goes round: it would follow every turn. */
int first_turn, last_turn = 1 << 20;

/* A turn of a loop, with what it counts. */
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
