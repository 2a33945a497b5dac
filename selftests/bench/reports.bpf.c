// SPDX-License-Identifier: GPL-2.0-only
/* The cost of the kernel's reports, and of loops with may_goto. */
#include "bench.h"
#include "../arena.h"

#define fault() asm volatile("r1 = *(u64 *)(%0 + 0)" : : "r"(pointer) : "r1", "memory")

/* Few enough that all 32 rounds stay below the 512 reports that a program may make at once. */
SEC("syscall")
__scenario(bench)
int arena_fault(void *ctx)
{
	__u64 *pointer = in_arena(PAGE(1));

	return cost(15, fault());
}

/* The cost of a fault when there were too many. */
SEC("syscall")
__scenario(bench)
__not_in_mainline("it suppresses no reports")
int suppressed_arena_fault(void *ctx)
{
	__u64 *pointer = in_arena(PAGE(1));
	int turn;

	bpf_for(turn, 0, 600)
		fault();
	return cost(TURNS, fault());
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
