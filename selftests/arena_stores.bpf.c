// SPDX-License-Identifier: GPL-2.0-only
/*
 * "ERROR: Arena WRITE access at unmapped address 0x<address>", for stores of registers and of
 * constants.
 */
#include "arena.h"

SEC("syscall")
int widths(void *ctx)
{
	store("u8", PAGE(1), + 1);
	store("u16", PAGE(1), + 2);
	store("u32", PAGE(1), + 4);
	store("u64", PAGE(1), + 8);
	return 0;
}

SEC("syscall")
int immediates(void *ctx)
{
	store_immediate("u8", PAGE(2), + 1);
	store_immediate("u16", PAGE(2), + 2);
	store_immediate("u32", PAGE(2), + 4);
	store_immediate("u64", PAGE(2), + 8);
	return 0;
}

SEC("syscall") __not_in_mainline("it does not wrap an address round the 4 GiB of an arena")
int offsets(void *ctx)
{
	store("u64", PAGE(3), - 8);
	store("u8", PAGE(3), + 32767);
	store("u8", PAGE(10), - 32768);
	store_immediate("u64", PAGE(3), - 8);
	store_immediate("u8", PAGE(3), + 32767);
	store_immediate("u8", PAGE(10), - 32768);
	/* below and above the 4 GiB of the arena, in its guard pages */
	store("u64", 0ULL, - 8);
	store_immediate("u64", 0xfffffff8ULL, + 8);
	/* beyond its 16 pages */
	store("u64", PAGE(16), + 0);
	return 0;
}

/* Stores the address itself, from the same register. */
SEC("syscall") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int of_the_address(void *ctx)
{
	void *pointer = in_arena(PAGE(4));

	announce("store of its own address", PAGE(4));
	asm volatile("*(u64 *)(%[at] + 0) = %[at]" : : [at] "r"(pointer) : "memory");
	return 0;
}

/* A store to a mapped page succeeds, and faults after the page is freed. */
SEC("syscall")
int freed_page(void *ctx)
{
	if (!map_page(PAGE(5)))
		return -1;
	store("u64", PAGE(5), + 0);
	load("u64", PAGE(5), + 0);
	unmap_page(PAGE(5));
	store("u64", PAGE(5), + 0);
	load("u64", PAGE(5), + 0);
	return 0;
}
