// SPDX-License-Identifier: GPL-2.0-only
/*
 * "kfuncs for programs: all program types": every type that BPF_PROG_TEST_RUN supports prints to both of
 * its streams. Each program returns the value that means "continue" for its type.
 */
#include "selftest.h"

SEC("syscall")
int syscall_program(void *ctx)
{
	print_to_both("syscall");
	return 0;
}

SEC("tc")
int tc_classifier(struct __sk_buff *skb)
{
	print_to_both("tc classifier");
	return 0; /* TC_ACT_OK */
}

SEC("action")
int tc_action(struct __sk_buff *skb)
{
	print_to_both("tc action");
	return 0;
}

SEC("xdp")
int xdp_program(struct xdp_md *ctx)
{
	print_to_both("xdp");
	return XDP_PASS;
}

SEC("socket")
int socket_filter(struct __sk_buff *skb)
{
	print_to_both("socket filter");
	return 0;
}

SEC("cgroup_skb/ingress")
int cgroup_ingress(struct __sk_buff *skb)
{
	print_to_both("cgroup ingress");
	return 1;
}

SEC("cgroup_skb/egress")
int cgroup_egress(struct __sk_buff *skb)
{
	print_to_both("cgroup egress");
	return 1;
}

SEC("flow_dissector")
int dissector(struct __sk_buff *skb)
{
	print_to_both("flow dissector");
	return BPF_OK;
}

SEC("raw_tp")
int raw_tracepoint(struct bpf_raw_tracepoint_args *ctx)
{
	print_to_both("raw tracepoint, test run");
	return 0;
}
