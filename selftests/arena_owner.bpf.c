// SPDX-License-Identifier: GPL-2.0-only
/*
 * "The report lands in the stream of the closest BPF program on the stack": with several programs on the
 * stack, the one that made the access. The scenarios note the streams of the others.
 */
#include "arena.h"

/* Attached to the kernel function of bpf_get_prandom_u32(). */
SEC("fentry/bpf_user_rnd_u32")
__auxiliary
int BPF_PROG(tracing)
{
	void *pointer = in_arena(PAGE(1));

	touch(pointer);
	return 0;
}

SEC("tc") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
__load_with(tracing)
__scenario(other_progs)
int traced(struct __sk_buff *skb)
{
	void *pointer = in_arena(PAGE(2));

	__u64 value;

	touch(pointer);
	value = bpf_get_prandom_u32();
	pass(value);
	touch(pointer);
	return 0;
}

/* A program whose function `replaceable` is replaced by the extension. */
__noinline int replaceable(int value)
{
	asm volatile("" : "+r"(value));
	return value + 1;
}

SEC("syscall")
__auxiliary
int extended(void *ctx)
{
	void *pointer = in_arena(PAGE(2));
	int ret;

	touch(pointer);
	ret = replaceable(1);
	pass(ret);
	touch(pointer);
	return ret;
}

/* The scenario loads and runs the extended program, and notes its streams. */
SEC("freplace/replaceable") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
__load_with(extended)
__scenario(freplace)
int extension(int value)
{
	void *pointer = in_arena(PAGE(1));

	touch(pointer);
	return value + 41;
}
