// SPDX-License-Identifier: GPL-2.0-only
/*
 * "ERROR: Arena READ access at unmapped address 0x<address>: the address is the full user-space
 * address (user_vm_start with the low 32 bits of the access). A load that faults leaves 0 in its
 * destination."
 */
#include "arena.h"
#include <bpf/bpf_core_read.h>

extern void *bpf_rdonly_cast(const void *obj__ign, __u32 btf_id__k) __weak __ksym;

SEC("syscall")
int widths(void *ctx)
{
	load("u8", PAGE(1), + 1);
	load("u16", PAGE(1), + 2);
	load("u32", PAGE(1), + 4);
	load("u64", PAGE(1), + 8);
	return 0;
}

/* The load overwrites the register with the address, but the report must still have it. */
SEC("syscall")
int into_address(void *ctx)
{
	load_into_address("u8", PAGE(2), + 1);
	load_into_address("u16", PAGE(2), + 2);
	load_into_address("u32", PAGE(2), + 4);
	load_into_address("u64", PAGE(2), + 8);
	return 0;
}

SEC("syscall") __not_in_mainline("it does not wrap an address round the 4 GiB of an arena")
int offsets(void *ctx)
{
	load("u64", PAGE(3), - 8);
	load("u8", PAGE(3), + 32767);
	load("u8", PAGE(10), - 32768);
	load_into_address("u64", PAGE(10), - 4096);
	/* below and above the 4 GiB of the arena, in its guard pages */
	load("u64", 0ULL, - 8);
	load("u64", 0xfffffff8ULL, + 8);
	/* beyond its 16 pages */
	load("u64", PAGE(16), + 0);
	return 0;
}

/*
 * The access begins on a mapped page: the report has the address of the access, not of the fault.
 */
SEC("syscall")
int across_pages(void *ctx)
{
	if (!map_page(PAGE(1)))
		return -1;
	store("u32", PAGE(2), - 4);
	load("u32", PAGE(2), - 4);
	load("u64", PAGE(2), - 4);
	return 0;
}

/* A load that faults elsewhere also returns 0, but is not reported. */
SEC("syscall")
int elsewhere(void *ctx)
{
	void *nowhere = (void *)-PAGE_SIZE;
	struct task_struct *task;

	in_arena(PAGE(1));
	task = bpf_rdonly_cast(nowhere, bpf_core_type_id_kernel(struct task_struct));
	bpf_stream_printk(BPF_STDOUT, "load of a PID where nothing is\n");
	tell(task->pid);
	return 0;
}
