// SPDX-License-Identifier: GPL-2.0-only
/*
 * "kfuncs for programs: all program types": a struct_ops program prints to both of its streams. It
 * implements bpf_dummy_ops, the kernel's operations for tests, and is run by BPF_PROG_TEST_RUN with one
 * zero as its argument.
 */
#include "selftest.h"

SEC("struct_ops/test_1")
int BPF_PROG(test_1, struct bpf_dummy_ops_state *state)
{
	print_to_both("struct_ops");
	return 0;
}

SEC(".struct_ops")
struct bpf_dummy_ops dummy_ops = {
	.test_1 = (void *)test_1,
};
