// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Load-acquire and store-release, also on arena memory": programs with an arena that must not load. In a
 * file of their own, as each test creates the maps of its file, and an arena is expensive: it takes seconds
 * where KASAN shadows its 4 GiB.
 */
#include "selftest.h"
#include "acqrel.h"

/* One instruction that is rewritten for an arena, which must not also be used for another pointer. */

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
} arena SEC(".maps");

SEC("syscall")
int load_from_arena_or_stack(void *ctx)
{
	__u64 on_stack = 0;

	asm volatile("r6 = %[arena] ll;"
		     "call %[random];"
		     "r1 = %[stack];"
		     "if r0 == 0 goto 1f;"
		     "r1 = 4096;"
		     "r1 = addr_space_cast(r1, 0x0, 0x1);"
		     "1:"
		     ".8byte %[load];"
		     :
		     : [arena] "i"(&arena), [random] "i"(bpf_get_prandom_u32),
		       [stack] "r"(&on_stack), [load] "i"(ATOMIC_INSN(u64, LOAD_ACQ, 0, 1, 0))
		     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "memory");
	return 0;
}
