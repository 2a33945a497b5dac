// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sign-extending loads from an arena, as compilers emit them for signed types with -mcpu=v4. They are
 * reported like other loads, and return 0 when they fault.
 */
#include "arena.h"

SEC("syscall")
int faults(void *ctx)
{
	load("s8", PAGE(1), + 1);
	load("s16", PAGE(1), + 2);
	load("s32", PAGE(1), + 4);
	load_into_address("s8", PAGE(2), - 1);
	load_into_address("s16", PAGE(2), - 2);
	load_into_address("s32", PAGE(2), - 4);
	return 0;
}

#define load_signed(type, offset)						\
	({									\
		void *pointer = in_arena(PAGE(1));				\
		__s64 value = LEFT_OVER;					\
										\
		asm volatile("%[value] = *(" type " *)(%[at] " #offset ")"	\
			     : [value] "+r"(value)				\
			     : [at] "r"(pointer)				\
			     : "memory");					\
		bpf_stream_printk(BPF_STDOUT, type ": %lld\n", value);		\
	})

/* The lower half of LEFT_OVER is negative in each width, and its upper half is not. */
SEC("syscall")
int values(void *ctx)
{
	if (!map_page(PAGE(1)))
		return -1;
	store("u64", PAGE(1), + 8);
	load_signed("s8", + 8);
	load_signed("s16", + 8);
	load_signed("s32", + 8);
	load_signed("s8", + 12);
	load_signed("s16", + 12);
	load_signed("s32", + 12);
	return 0;
}

/*
 * rV = *(type *)(rP + 8) of a word with all bits set, into a register with no bits set: a result other than
 * -1 is recorded at r10 - 16. The pointer is at r10 - 8.
 */
#define LOAD(type, V, P)                        \
	"r" #V " = 0;"                          \
	"r" #P " = *(u64 *)(r10 - 8);"          \
	"r" #V " = *(" type " *)(r" #P " + 8);" \
	"r" #V " ^= -1;"                        \
	"*(u64 *)(r10 - 24) = r" #V ";"         \
	"r0 = *(u64 *)(r10 - 24);"              \
	"r1 = *(u64 *)(r10 - 16);"              \
	"r0 |= r1;"                             \
	"*(u64 *)(r10 - 16) = r0;"

/* Tests each register as destination and as pointer, which a JIT encodes separately. */
#define ALL_REGISTERS(type)                                                   \
	LOAD(type, 0, 1) LOAD(type, 1, 1) LOAD(type, 2, 1) LOAD(type, 3, 1)   \
	LOAD(type, 4, 1) LOAD(type, 5, 1) LOAD(type, 6, 1) LOAD(type, 7, 1)   \
	LOAD(type, 8, 1) LOAD(type, 9, 1) LOAD(type, 0, 0) LOAD(type, 0, 2)   \
	LOAD(type, 0, 3) LOAD(type, 0, 4) LOAD(type, 0, 5) LOAD(type, 0, 6)   \
	LOAD(type, 0, 7) LOAD(type, 0, 8) LOAD(type, 0, 9) LOAD(type, 9, 9)

/* Returns the wrong bits for one pointer register. r6 to r9 are saved by the call. */
static __attribute__((naked, used)) __u64 wrong_bits(void)
{
	asm volatile("*(u64 *)(r10 - 8) = r1;"
		     "r0 = -1;"
		     "*(u64 *)(r1 + 8) = r0;"
		     "r0 = 0;"
		     "*(u64 *)(r10 - 16) = r0;"
		     ALL_REGISTERS("s8")
		     ALL_REGISTERS("s16")
		     ALL_REGISTERS("s32")
		     "r0 = *(u64 *)(r10 - 16);"
		     "exit;"
		     ::: "memory");
}

SEC("syscall")
int registers(void *ctx)
{
	if (!map_page(PAGE(1)))
		return -1;
	return call_naked(wrong_bits, in_arena(PAGE(1))) ? 1 : 0;
}

/*
 * Positive values: the sign extension would hide wrong upper halves of negative ones. Returns 0 if all 64 bits
 * are right.
 */
SEC("syscall")
__scenario(rnd_hi32)
int random_upper_halves(void *ctx)
{
	__u64 one, two, three;
	void *at;

	if (!map_page(PAGE(1)))
		return -1;
	at = in_arena(PAGE(1));
	asm volatile("r0 = 1;"
		     "*(u64 *)(%[at] + 8) = r0;"
		     "%[one] = *(s8 *)(%[at] + 8);"
		     "%[two] = *(s16 *)(%[at] + 8);"
		     "%[three] = *(s32 *)(%[at] + 8);"
		     : [one] "=&r"(one), [two] "=&r"(two), [three] "=&r"(three)
		     : [at] "r"(at)
		     : "r0", "memory");
	return one == 1 && two == 1 && three == 1 ? 0 : 1;
}
