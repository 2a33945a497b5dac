/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An arena whose pages are unmapped until a program allocates them, and accesses to it. Each access is
 * one instruction, on the source line of its caller. A program that uses any of these macros has the
 * arena.
 *
 * Each access prints the accessed user-space address to stdout, so that the address in the report can be
 * compared with it; the arena's address is fixed by the programs.
 */
#ifndef __ARENA_H
#define __ARENA_H

#include "selftest.h"

#define __arena __attribute__((address_space(1)))

#define PAGE_SIZE 4096ULL
/*
 * The 4 GiB of user space for the arena: unused in every process, and within the address range of all
 * architectures. The arena's 16 pages begin 1 GiB into them, so that the low half of its start is not 0. A
 * place is an offset into the 4 GiB.
 */
#define ARENA_4GIB (1ULL << 36)
#define PAGE(number) ((1ULL << 30) + (number) * PAGE_SIZE)

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16);
	__ulong(map_extra, ARENA_4GIB + PAGE(0));
} arena SEC(".maps");

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, __u32 page_cnt,
					   int node_id, __u64 flags) __weak __ksym;
extern void bpf_arena_free_pages(void *map, void __arena *ptr, __u32 page_cnt) __weak __ksym;

/* A pointer to a place, opaque to the compiler. */
static __always_inline void *in_arena(__u64 place)
{
	void *pointer = (void *)(void __arena *)(ARENA_4GIB + place);

	asm volatile("" : "+r"(pointer) : "r"(&arena));
	return pointer;
}

/* Maps a page. */
static __always_inline bool map_page(__u64 place)
{
	void __arena *wanted = (void __arena *)(ARENA_4GIB + place);

	return bpf_arena_alloc_pages(&arena, wanted, 1, -1 /* any node */, 0);
}

static __always_inline void unmap_page(__u64 place)
{
	bpf_arena_free_pages(&arena, (void __arena *)(ARENA_4GIB + place), 1);
}

/* Value of a register before the load. */
#define LEFT_OVER 0x123456789abcdef0ULL

/* An offset beyond the 4 GiB wraps around. */
#define announce(what, place)							\
	bpf_stream_printk(BPF_STDOUT, what " at arena address 0x%llx\n",	\
			  ARENA_4GIB + (__u32)(place))
#define tell(value) bpf_stream_printk(BPF_STDOUT, "  gave 0x%llx\n", (__u64)(value))

/* `type` as in "u32", `offset` with its sign */
#define load(type, place, offset)						\
	({									\
		void *pointer = in_arena(place);				\
		__u64 value = LEFT_OVER;					\
										\
		announce("load of " type, (place) offset);			\
		asm volatile("%[value] = *(" type " *)(%[at] " #offset ")"	\
			     : [value] "+r"(value)				\
			     : [at] "r"(pointer)				\
			     : "memory");					\
		tell(value);							\
	})

/* As above, into the register that holds the address. */
#define load_into_address(type, place, offset)				\
	({								\
		void *pointer = in_arena(place);			\
									\
		announce("load of " type, (place) offset);		\
		asm volatile("%[at] = *(" type " *)(%[at] " #offset ")"	\
			     : [at] "+r"(pointer)			\
			     :						\
			     : "memory");				\
		tell(pointer);						\
	})

#define store(type, place, offset)						\
	({									\
		void *pointer = in_arena(place);				\
		__u64 value = LEFT_OVER;					\
										\
		announce("store of " type, (place) offset);			\
		asm volatile("*(" type " *)(%[at] " #offset ") = %[value]"	\
			     : [value] "+r"(value)				\
			     : [at] "r"(pointer)				\
			     : "memory");					\
	})

#define store_immediate(type, place, offset)				\
	({								\
		void *pointer = in_arena(place);			\
									\
		announce("store of " type, (place) offset);		\
		asm volatile("*(" type " *)(%[at] " #offset ") = 42"	\
			     :						\
			     : [at] "r"(pointer)			\
			     : "memory");				\
	})

/* One store, for tests of where it happens. */
#define touch(pointer) \
	asm volatile("*(u64 *)(%[at] + 0) = 42" : : [at] "r"(pointer) : "memory")

/*
 * Separates a call from an access: without an instruction between them, the return address may equal the
 * address of the faulting instruction on some architectures.
 */
#define pass(value) asm volatile("%[it] += 0" : [it] "+r"(value))

#endif
