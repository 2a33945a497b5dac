// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Load-acquire and store-release, also on arena memory": a fault is reported as a READ or a WRITE, and a
 * load that faults leaves 0 in its destination.
 */
#include "arena.h"
#include "acqrel.h"

/* R1 is the address, R2 the value; `into` is the destination of the load. */
#define acquire(type, into, place, offset)						\
	({										\
		void *pointer = in_arena(place);					\
		__u64 value = LEFT_OVER;						\
											\
		announce("load-acquire of " #type, (place) offset);			\
		asm volatile("r1 = %[at];"						\
			     "r2 = %[value];"						\
			     ".8byte %[insn];"						\
			     "%[value] = r" #into ";"					\
			     : [value] "+r"(value)					\
			     : [at] "r"(pointer),					\
			       [insn] "i"(ATOMIC_INSN(type, LOAD_ACQ, into, 1, offset))	\
			     : "r1", "r2", "memory");					\
		tell(value);								\
	})

#define release(type, place, offset)							\
	({										\
		void *pointer = in_arena(place);					\
		__u64 value = LEFT_OVER;						\
											\
		announce("store-release of " #type, (place) offset);			\
		asm volatile("r1 = %[at];"						\
			     "r2 = %[value];"						\
			     ".8byte %[insn];"						\
			     :								\
			     : [at] "r"(pointer), [value] "r"(value),			\
			       [insn] "i"(ATOMIC_INSN(type, STORE_REL, 1, 2, offset))	\
			     : "r1", "r2", "memory");					\
	})

SEC("syscall")
int loads(void *ctx)
{
	acquire(u8, 2, PAGE(1), + 1);
	acquire(u16, 2, PAGE(1), + 2);
	acquire(u32, 2, PAGE(1), + 4);
	acquire(u64, 2, PAGE(1), + 8);
	return 0;
}

SEC("syscall")
int into_address(void *ctx)
{
	acquire(u8, 1, PAGE(2), + 1);
	acquire(u16, 1, PAGE(2), + 2);
	acquire(u32, 1, PAGE(2), + 4);
	acquire(u64, 1, PAGE(2), + 8);
	return 0;
}

SEC("syscall")
int stores(void *ctx)
{
	release(u8, PAGE(3), + 1);
	release(u16, PAGE(3), + 2);
	release(u32, PAGE(3), + 4);
	release(u64, PAGE(3), + 8);
	return 0;
}

SEC("syscall") __not_in_mainline("it does not wrap an address round the 4 GiB of an arena")
int offsets(void *ctx)
{
	acquire(u64, 2, PAGE(4), - 8);
	acquire(u64, 1, PAGE(4), + 32760);
	acquire(u8, 2, PAGE(10), - 32768);
	release(u64, PAGE(4), - 8);
	release(u64, PAGE(4), + 32760);
	release(u8, PAGE(10), - 32768);
	/* below and above the 4 GiB of the arena, in its guard pages */
	acquire(u64, 2, 0ULL, - 8);
	release(u64, 0xfffffff8ULL, + 8);
	return 0;
}

/* On a mapped page, the value is stored and loaded, and nothing is reported. */
SEC("syscall")
int mapped(void *ctx)
{
	if (!map_page(PAGE(5)))
		return -1;
	release(u64, PAGE(5), + 8);
	acquire(u8, 2, PAGE(5), + 8);
	acquire(u16, 2, PAGE(5), + 8);
	acquire(u32, 2, PAGE(5), + 8);
	acquire(u64, 1, PAGE(5), + 8);
	return 0;
}
