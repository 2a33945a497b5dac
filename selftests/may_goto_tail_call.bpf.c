// SPDX-License-Identifier: GPL-2.0-only
/*
 * A loop that is ended in a program with tail calls: on architectures that pass the tail call counter along
 * with calls, may_goto must neither lose the counter nor change any register.
 */
#include "selftest.h"

SEC("tc")
__auxiliary
int target(struct __sk_buff *skb)
{
	return 42;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} targets SEC(".maps") = {
	.values = { [0] = (void *)&target },
};

/* Adds up all registers but R6, as in may_goto.bpf.c; if they are right, calls the target. */
static __noinline int loop_and_call(struct __sk_buff *skb)
{
	register struct __sk_buff *context asm("r6") = skb;
	register __u64 sum asm("r0");
	int ret;

	asm volatile("r0 = 1; r1 = 2; r2 = 4; r3 = 8; r4 = 16; r5 = 32;"
		     "r7 = 64; r8 = 128; r9 = 256;"
		     /* may_goto over the backward jump */
		     "1: .byte 0xe5; .byte 0; .short 1; .long 0;"
		     "goto 1b;"
		     "r0 += r1; r0 += r2; r0 += r3; r0 += r4; r0 += r5;"
		     "r0 += r7; r0 += r8; r0 += r9;"
		     : "+r"(context), "=r"(sum)
		     :
		     : "r1", "r2", "r3", "r4", "r5", "r7", "r8", "r9");
	ret = sum;
	if (ret != 511)
		return ret;
	bpf_tail_call(context, &targets, 0);
	ret = -1; /* the target was not reached */
	/* hide the return value of the target from the compiler */
	asm volatile("" : "+r"(ret));
	return ret;
}

SEC("tc")
__load_with(target)
int loop_before_tail_call(struct __sk_buff *skb)
{
	return loop_and_call(skb);
}
