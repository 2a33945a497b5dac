// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verifier's knowledge after a load-acquire or a store-release: each program loads only if the verifier
 * has it. The counterpart of acqrel_rejected.
 */
#include "selftest.h"
#include "acqrel.h"

#define print(what, number) bpf_stream_printk(BPF_STDOUT, what ": %llx\n", (__u64)(number))

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[256]);
} values SEC(".maps");

static __always_inline __u8 *value(void)
{
	return bpf_map_lookup_elem(&values, &(__u32){ 0 });
}

/* An 8-bit value is a valid index into 256 bytes. */
SEC("syscall")
int index_of_eight_bits(void *ctx)
{
	__u8 *at = value();
	__u64 index;

	if (!at)
		return 1;
	at[0] = 255;
	at[255] = 0x5a;
	index = load_acquire(u8, at, 0);
	print("byte 255", at[index]);
	return 0;
}

/* The load replaces all of the register: a remaining upper half would make the index invalid. */
SEC("syscall")
int upper_half_is_zero(void *ctx)
{
	__u8 *at = value();
	__u64 loaded = ~0ull;

	if (!at)
		return 1;
	__builtin_memset(at, 0xff, 8);
	asm volatile("r1 = %[at];"
		     "r0 = %[old];"
		     ".8byte %[load];"
		     "%[loaded] = r0;"
		     : [loaded] "=r"(loaded)
		     : [at] "r"(at), [old] "r"(loaded), [load] "i"(ATOMIC_INSN(u32, LOAD_ACQ, 0, 1, 0))
		     : "r0", "r1", "memory");
	print("four bytes", loaded);
	print("byte 0", at[loaded >> 32]);
	return 0;
}

/* A pointer keeps its type and bounds when spilled to the stack. */
SEC("syscall")
int pointer_over_stack(void *ctx)
{
	__u64 on_stack;
	__u8 *at = value();

	if (!at)
		return 1;
	at[0] = 0x11;
	store_release(u64, &on_stack, 0, at);
	at = (__u8 *)load_acquire(u64, &on_stack, 0);
	print("byte 0", at[0]);
	return 0;
}

/* A number keeps its value: 255 is a valid index, an unknown number is not. */
SEC("syscall")
int number_over_stack(void *ctx)
{
	__u64 on_stack, index = bpf_get_prandom_u32() & 255;
	__u8 *at = value();

	if (!at)
		return 1;
	__builtin_memset(at, 0x22, 256);
	store_release(u64, &on_stack, 0, index);
	index = load_acquire(u64, &on_stack, 0);
	print("some byte", at[index]);
	return 0;
}

/* The load reads a constant, so the bad access after the comparison is unreachable. */
static const __u32 constant = 7;

SEC("syscall")
int constant_of_read_only_map(void *ctx)
{
	const __u32 *from = &constant;
	__u8 *at = value();

	if (!at)
		return 1;
	barrier_var(from);
	if (load_acquire(u32, from, 0) != 7)
		at[256] = 1;
	print("constant", *from);
	return 0;
}

/* A trusted pointer is not NULL. */
SEC("syscall")
int field_of_trusted_task(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 tgid = load_acquire(u32, &task->tgid, 0);

	print("tgid is the agent's", tgid == bpf_get_current_pid_tgid() >> 32);
	return 0;
}
