// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Streams: two a program": the target of a tail call is a program of its own, and prints to its own
 * streams, not to those of the calling program.
 */
#include "selftest.h"

SEC("tc")
__auxiliary
int tail_call_target(struct __sk_buff *skb)
{
	print_to_both("the target of the tail call, which must not be seen here,");
	return 42;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} targets SEC(".maps") = {
	.values = { [0] = (void *)&tail_call_target },
};

SEC("tc")
__load_with(tail_call_target)
int tail_call(struct __sk_buff *skb)
{
	print_to_both("the program that makes a tail call");
	bpf_tail_call(skb, &targets, 0);
	return -1; /* the target was not reached */
}
