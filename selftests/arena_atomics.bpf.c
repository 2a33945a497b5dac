// SPDX-License-Identifier: GPL-2.0-only
/*
 * Atomic operations write: "ERROR: Arena WRITE access …", and "an atomic that fetches leaves 0
 * where the old value would go".
 */
#include "arena.h"

/*
 * `type` as in "u32", `ctype` of the value, "r" for a whole register or "w" for its lower
 * half
 */
#define atomic(type, ctype, reg, operator, place)					\
	({										\
		void *pointer = in_arena(place);					\
		ctype value = 5;							\
											\
		announce(type " " operator "=", place);					\
		asm volatile("lock *(" type " *)(%[at] + 0) " operator "= %[value]"	\
			     : [value] "+" reg(value)					\
			     : [at] "r"(pointer)					\
			     : "memory");						\
	})

#define fetch(type, ctype, reg, name, place)								\
	({												\
		void *pointer = in_arena(place);							\
		ctype value = 5;									\
													\
		announce(type " atomic_fetch_" name, place);						\
		asm volatile("%[value] = atomic_fetch_" name "((" type " *)(%[at] + 0), %[value])"	\
			     : [value] "+" reg(value)							\
			     : [at] "r"(pointer)							\
			     : "memory");								\
		tell(value);										\
	})

#define exchange(name, ctype, reg, place)				\
	({								\
		void *pointer = in_arena(place);			\
		ctype value = 5;					\
									\
		announce(name, place);					\
		asm volatile("%[value] = " name "(%[at] + 0, %[value])"	\
			     : [value] "+" reg(value)			\
			     : [at] "r"(pointer)			\
			     : "memory");				\
		tell(value);						\
	})

/* Compares with 7; the old value is left in R0, named `r0` or `w0`. */
#define compare_exchange(name, r0, ctype, reg, place)				\
	({									\
		void *pointer = in_arena(place);				\
		ctype value = 5, old = 7;					\
										\
		announce(name, place);						\
		asm volatile(#r0 " = %[old];"					\
			     #r0 " = " name "(%[at] + 0, " #r0 ", %[value]);"	\
			     "%[old] = " #r0					\
			     : [old] "+" reg(old)				\
			     : [at] "r"(pointer), [value] reg(value)		\
			     : "memory", "r0");					\
		tell(old);							\
	})

static __always_inline void all_plain(__u64 place)
{
	atomic("u32", __u32, "w", "+", place);
	atomic("u64", __u64, "r", "+", place);
	atomic("u32", __u32, "w", "&", place);
	atomic("u64", __u64, "r", "&", place);
	atomic("u32", __u32, "w", "|", place);
	atomic("u64", __u64, "r", "|", place);
	atomic("u32", __u32, "w", "^", place);
	atomic("u64", __u64, "r", "^", place);
}

static __always_inline void all_fetching(__u64 place)
{
	fetch("u32", __u32, "w", "add", place);
	fetch("u64", __u64, "r", "add", place);
	exchange("xchg32_32", __u32, "w", place);
	exchange("xchg_64", __u64, "r", place);
	compare_exchange("cmpxchg32_32", w0, __u32, "w", place);
	compare_exchange("cmpxchg_64", r0, __u64, "r", place);
}

static __always_inline void all_bitwise_fetching(__u64 place)
{
	fetch("u32", __u32, "w", "and", place);
	fetch("u64", __u64, "r", "and", place);
	fetch("u32", __u32, "w", "or", place);
	fetch("u64", __u64, "r", "or", place);
	fetch("u32", __u32, "w", "xor", place);
	fetch("u64", __u64, "r", "xor", place);
}

SEC("syscall")
int plain(void *ctx)
{
	all_plain(PAGE(1));
	return 0;
}

SEC("syscall")
int fetching(void *ctx)
{
	all_fetching(PAGE(2));
	return 0;
}

/* 6.12 supports these on arenas for arm64 only. */
SEC("syscall")
__requires(arena_bitwise_fetch)
int bitwise_fetching(void *ctx)
{
	all_bitwise_fetching(PAGE(3));
	return 0;
}

SEC("syscall") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int offsets(void *ctx)
{
	void *pointer = in_arena(PAGE(10));
	__u64 value = 5;

	announce("u64 +=", PAGE(10) - 8);
	asm volatile("lock *(u64 *)(%[at] - 8) += %[value]"
		     : : [at] "r"(pointer), [value] "r"(value) : "memory");
	announce("u64 atomic_fetch_add", PAGE(10) + 32760);
	asm volatile("%[value] = atomic_fetch_add((u64 *)(%[at] + 32760), %[value])"
		     : [value] "+r"(value) : [at] "r"(pointer) : "memory");
	tell(value);
	announce("xchg_64", PAGE(10) - 32768);
	asm volatile("%[value] = xchg_64(%[at] - 32768, %[value])"
		     : [value] "+r"(value) : [at] "r"(pointer) : "memory");
	tell(value);
	return 0;
}

/* On a mapped page they succeed, and nothing is reported. */
SEC("syscall")
int mapped(void *ctx)
{
	if (!map_page(PAGE(5)))
		return -1;
	all_plain(PAGE(5));
	load("u64", PAGE(5), + 0);
	all_fetching(PAGE(5));
	load("u64", PAGE(5), + 0);
	return 0;
}
