// SPDX-License-Identifier: GPL-2.0-only
/*
 * "may_goto: 250 ms of wall time for a loop": an infinite loop is ended, and "ERROR: Timeout detected for
 * may_goto instruction" names its place. The programs measure the time themselves; the time beyond 250 ms
 * depends on the machine, so the upper bound is generous.
 */
#include "selftest.h"

#define MILLISECOND 1000000ULL

/* Prints how long the loop ran. */
#define tell_time(what, begun)								\
	({										\
		__u64 __took = bpf_ktime_get_ns() - (begun);				\
											\
		bpf_stream_printk(BPF_STDOUT, what " took %s\n",			\
				  __took < 250 * MILLISECOND ? "less than 250 ms" :	\
				  __took < 5000 * MILLISECOND ? "250 ms or more" :	\
				  "5 seconds or more");					\
	})

SEC("tc")
int main_program(struct __sk_buff *skb)
{
	__u64 begun = bpf_ktime_get_ns();

	for (;;)
		may_goto(out);
out:
	tell_time("the loop", begun);
	return 0;
}

/* In a sleepable program. */
SEC("syscall")
int sleepable(void *ctx)
{
	__u64 begun = bpf_ktime_get_ns();

	for (;;)
		may_goto(out);
out:
	tell_time("the loop", begun);
	return 0;
}

static __noinline int spin(void)
{
	int rounds = 0;

	for (;;) {
		may_goto(out);
		rounds |= 1;
	}
out:
	return rounds;
}

SEC("tc")
int subprogram(struct __sk_buff *skb)
{
	__u64 begun = bpf_ktime_get_ns();
	int ret = spin();

	tell_time("the subprogram", begun);
	return ret;
}

/* Every call has its own 250 ms. */
SEC("tc")
int subprogram_twice(struct __sk_buff *skb)
{
	__u64 begun = bpf_ktime_get_ns();

	spin();
	tell_time("the first call", begun);
	begun = bpf_ktime_get_ns();
	spin();
	tell_time("the second call", begun);
	return 0;
}

static int spin_in_callback(__u32 index, void *unused)
{
	for (;;)
		may_goto(out);
out:
	return 1; /* no more of bpf_loop */
}

SEC("tc")
int callback(struct __sk_buff *skb)
{
	__u64 begun = bpf_ktime_get_ns();

	bpf_loop(3, spin_in_callback, NULL, 0);
	tell_time("the callback", begun);
	return 0;
}

/* The loops of a call share the 250 ms: the first is ended and reported, the second ends at once. */
SEC("tc")
int two_loops(struct __sk_buff *skb)
{
	__u64 begun = bpf_ktime_get_ns();

	for (;;)
		may_goto(first_out);
first_out:
	tell_time("the first loop", begun);
	begun = bpf_ktime_get_ns();
	for (;;)
		may_goto(second_out);
second_out:
	tell_time("the second loop", begun);
	return 0;
}

/* The inner loop is ended and reported, and the outer one ends with it. */
SEC("tc")
int nested_loops(struct __sk_buff *skb)
{
	__u64 begun = bpf_ktime_get_ns();

	for (;;) {
		may_goto(outer_out);
		for (;;)
			may_goto(inner_out);
inner_out:;
	}
outer_out:
	tell_time("both loops", begun);
	return 0;
}

/* Reads the clock a few times, and ends well before the limit. */
SEC("tc")
int ends_by_itself(struct __sk_buff *skb)
{
	static volatile int rounds;

	while (rounds < 200 * 1000) {
		may_goto(out);
		rounds++;
	}
out:
	bpf_stream_printk(BPF_STDOUT, "%d rounds\n", rounds);
	return 0;
}

/*
 * All registers are in use when the loop is ended, and their values are added up afterwards: 1 + 2 + 4 +
 * ... + 512.
 */
SEC("tc")
__attribute__((naked))
int registers(void)
{
	asm volatile("r0 = 1; r1 = 2; r2 = 4; r3 = 8; r4 = 16;"
		     "r5 = 32; r6 = 64; r7 = 128; r8 = 256; r9 = 512;"
		     /* may_goto over the backward jump */
		     "1: .byte 0xe5; .byte 0; .short 1; .long 0;"
		     "goto 1b;"
		     "r0 += r1; r0 += r2; r0 += r3; r0 += r4; r0 += r5;"
		     "r0 += r6; r0 += r7; r0 += r8; r0 += r9;"
		     "exit;");
}

/* The slot for the loop's start time is in addition to a program's maximum stack size. */
SEC("tc")
__attribute__((naked))
int whole_stack(void)
{
	asm volatile("r1 = 1; *(u64 *)(r10 - 512) = r1;"
		     "r1 = 2; *(u64 *)(r10 - 504) = r1;"
		     "r1 = 4; *(u64 *)(r10 - 8) = r1;"
		     "1: .byte 0xe5; .byte 0; .short 1; .long 0;"
		     "goto 1b;"
		     "r0 = *(u64 *)(r10 - 512);"
		     "r1 = *(u64 *)(r10 - 504); r0 += r1;"
		     "r1 = *(u64 *)(r10 - 8); r0 += r1;"
		     "exit;");
}

/* A may_goto to the next instruction is removed: two instructions remain. */
SEC("tc")
__attribute__((naked))
__scenario(insn_count)
int next_instruction(void)
{
	asm volatile(".byte 0xe5; .byte 0; .short 0; .long 0;"
		     "r0 = 0;"
		     ".byte 0xe5; .byte 0; .short 0; .long 0;"
		     ".byte 0xe5; .byte 0; .short 0; .long 0;"
		     "exit;");
}

/*
 * The scenario keeps another thread busy on the same CPU, so the loop gets about half of the 250 ms. If the
 * limit were CPU time, the loop would run twice as long.
 */
SEC("syscall")
__scenario(cpu_contention)
int preempted(void *ctx)
{
	__u64 begun = bpf_ktime_get_ns();

	for (;;)
		may_goto(out);
out:
	tell_time("the loop", begun);
	return 0;
}

static __noinline int spin_eight_times(void)
{
	int rounds = 0;

#define LOOP(n)				\
	for (;;) {			\
		may_goto(out_##n);	\
		rounds |= 1 << n;	\
	}				\
out_##n:

	LOOP(1);
	LOOP(2);
	LOOP(3);
	LOOP(4);
	LOOP(5);
	LOOP(6);
	LOOP(7);
	LOOP(8);
#undef LOOP
	return rounds;
}

/* A call takes 250 ms, however many loops the function has. */
SEC("tc")
int eight_loops_in_subprogram(struct __sk_buff *skb)
{
	__u64 begun = bpf_ktime_get_ns();
	int rounds = spin_eight_times();
	__u64 took = bpf_ktime_get_ns() - begun;

	tell_time("the call", begun);
	bpf_stream_printk(BPF_STDOUT, "%s than two seconds, rounds in the loops: 0x%x\n",
			  took < 2000 * MILLISECOND ? "less" : "more", rounds);
	return 0;
}
