// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Nothing left after the program is gone": the scenario loads, runs and removes the program 1,000
 * times without reading what it printed, and compares the memory in use after the first hundred
 * with that after the last.
 */
#include "selftest.h"

static const char kilobyte[] = TEXT_1000;

SEC("syscall")
__scenario(load_remove)
int load_remove(void *ctx)
{
	int i;

	bpf_for(i, 0, 16) {
		bpf_stream_vprintk(BPF_STDOUT, kilobyte, NULL, 0);
		bpf_stream_vprintk(BPF_STDERR, kilobyte, NULL, 0);
	}
	return 0;
}
