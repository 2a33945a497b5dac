// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load-acquire and store-release with every register as the pointer and every register as the value, in
 * every size, on the stack and in an arena, as a JIT may encode a single register wrong. A test returns 1
 * if a load was wrong, 2 if a store was wrong, 3 for both.
 */
#include "selftest.h"

#define __arena __attribute__((address_space(1)))

extern void __arena *bpf_arena_alloc_pages(void *p__map, void __arena *addr__ign, __u32 page_cnt,
					   int node_id, __u64 flags) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
} arena SEC(".maps");

/* All bytes differ, and each has its sign bit set. */
#define PATTERN "0x8182838485868788"

/*
 * The function's stack: -8 the pointer, -16 the expected value of this size, -24 all bits that were wrong
 * so far, -32 the value to compare, -40 the pattern.
 */
#define COMPARE(value)                      \
	"*(u64 *)(r10 - 32) = r" #value ";" \
	"r0 = *(u64 *)(r10 - 32);"          \
	"r1 = *(u64 *)(r10 - 16);"          \
	"r0 ^= r1;"                         \
	"r1 = *(u64 *)(r10 - 24);"          \
	"r0 |= r1;"                         \
	"*(u64 *)(r10 - 24) = r0;"

/* rV = load_acquire(rP + 8): must replace all of rV. */
#define LOAD(code, V, P)                                                         \
	"r" #V " = -1;"                                                          \
	"r" #P " = *(u64 *)(r10 - 8);"                                           \
	".8byte " #code " | " #V " << 8 | " #P " << 12 | 8 << 16 | 0x100 << 32;" \
	COMPARE(V)

/* rV = load_acquire(r10 - 40) */
#define LOAD_OWN(code, V)                                                         \
	"r" #V " = -1;"                                                           \
	".8byte " #code " | " #V " << 8 | 10 << 12 | 0xffd8 << 16 | 0x100 << 32;" \
	COMPARE(V)

/* store_release(rP - 8, rV) must change only the value */
#define STORE(code, V, P)                                                             \
	"r" #P " = *(u64 *)(r10 - 8);"                                                \
	"r" #V " = 0;"                                                                \
	"*(u64 *)(r" #P " - 8) = r" #V ";"                                            \
	"r" #V " = " PATTERN " ll;"                                                   \
	".8byte " #code " | " #P " << 8 | " #V " << 12 | 0xfff8 << 16 | 0x110 << 32;" \
	"r" #V " = *(u64 *)(r" #P " - 8);"                                            \
	COMPARE(V)

#define ALL_POINTERS(op, code, V)                                                  \
	op(code, V, 0) op(code, V, 1) op(code, V, 2) op(code, V, 3) op(code, V, 4) \
	op(code, V, 5) op(code, V, 6) op(code, V, 7) op(code, V, 8) op(code, V, 9)

/* The register of the pointer cannot also hold the value to store. */
#define OTHER_POINTERS(op, code, V, a, b, c, d, e, f, g, h, i)                     \
	op(code, V, a) op(code, V, b) op(code, V, c) op(code, V, d) op(code, V, e) \
	op(code, V, f) op(code, V, g) op(code, V, h) op(code, V, i)

#define BEGIN(expected)            \
	"*(u64 *)(r10 - 8) = r1;"  \
	"r0 = " expected " ll;"    \
	"*(u64 *)(r10 - 16) = r0;" \
	"r0 = 0;"                  \
	"*(u64 *)(r10 - 24) = r0;" \
	"r0 = " PATTERN " ll;"     \
	"*(u64 *)(r10 - 40) = r0;" \
	"*(u64 *)(r1 + 8) = r0;"

#define END                        \
	"r0 = *(u64 *)(r10 - 24);" \
	"exit;"

/* These print nothing, so that they also run without a JIT. */
static __always_inline int result_of(__u64 wrong_of_loads, __u64 wrong_of_stores)
{
	return (wrong_of_loads ? 1 : 0) | (wrong_of_stores ? 2 : 0);
}

/* Each returns the wrong bits for one pointer register. r6 to r9 are saved by the call. */
#define FUNCTIONS(bits, code, expected)                                                    \
	static __attribute__((naked, used)) __u64 loads_##bits(void)                       \
	{                                                                                  \
		asm volatile(BEGIN(expected)                                               \
			     ALL_POINTERS(LOAD, code, 0) LOAD_OWN(code, 0)                 \
			     ALL_POINTERS(LOAD, code, 1) LOAD_OWN(code, 1)                 \
			     ALL_POINTERS(LOAD, code, 2) LOAD_OWN(code, 2)                 \
			     ALL_POINTERS(LOAD, code, 3) LOAD_OWN(code, 3)                 \
			     ALL_POINTERS(LOAD, code, 4) LOAD_OWN(code, 4)                 \
			     ALL_POINTERS(LOAD, code, 5) LOAD_OWN(code, 5)                 \
			     ALL_POINTERS(LOAD, code, 6) LOAD_OWN(code, 6)                 \
			     ALL_POINTERS(LOAD, code, 7) LOAD_OWN(code, 7)                 \
			     ALL_POINTERS(LOAD, code, 8) LOAD_OWN(code, 8)                 \
			     ALL_POINTERS(LOAD, code, 9) LOAD_OWN(code, 9)                 \
			     END ::: "memory");                                            \
	}                                                                                  \
	static __attribute__((naked, used)) __u64 stores_##bits(void)                      \
	{                                                                                  \
		asm volatile(BEGIN(expected)                                               \
			     OTHER_POINTERS(STORE, code, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)     \
			     OTHER_POINTERS(STORE, code, 1, 0, 2, 3, 4, 5, 6, 7, 8, 9)     \
			     OTHER_POINTERS(STORE, code, 2, 0, 1, 3, 4, 5, 6, 7, 8, 9)     \
			     OTHER_POINTERS(STORE, code, 3, 0, 1, 2, 4, 5, 6, 7, 8, 9)     \
			     OTHER_POINTERS(STORE, code, 4, 0, 1, 2, 3, 5, 6, 7, 8, 9)     \
			     OTHER_POINTERS(STORE, code, 5, 0, 1, 2, 3, 4, 6, 7, 8, 9)     \
			     OTHER_POINTERS(STORE, code, 6, 0, 1, 2, 3, 4, 5, 7, 8, 9)     \
			     OTHER_POINTERS(STORE, code, 7, 0, 1, 2, 3, 4, 5, 6, 8, 9)     \
			     OTHER_POINTERS(STORE, code, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9)     \
			     OTHER_POINTERS(STORE, code, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8)     \
			     END ::: "memory");                                            \
	}                                                                                  \
	SEC("syscall")                                                                     \
	int stack_##bits(void *ctx)                                                        \
	{                                                                                  \
		__u64 on_stack[3] = {};                                                    \
                                                                                           \
		return result_of(call_naked(loads_##bits, &on_stack[1]),                   \
				 call_naked(stores_##bits, &on_stack[1]));                 \
	}                                                                                  \
	SEC("syscall")                                                                     \
	int arena_##bits(void *ctx)                                                        \
	{                                                                                  \
		__u64 __arena *page = bpf_arena_alloc_pages(&arena, NULL, 1, -1, 0);       \
                                                                                           \
		if (!page)                                                                 \
			return 4;                                                          \
		return result_of(call_naked(loads_##bits, (void *)&page[1]),               \
				 call_naked(stores_##bits, (void *)&page[1]));             \
	}

FUNCTIONS(8_bits, 0xd3, "0x88")
FUNCTIONS(16_bits, 0xcb, "0x8788")
FUNCTIONS(32_bits, 0xc3, "0x85868788")
FUNCTIONS(64_bits, 0xdb, PATTERN)
