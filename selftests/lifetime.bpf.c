// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Nothing left after the program is gone": the scenario loads, runs and frees the program some hundred
 * times without reading its text, and compares the memory in use after the first fifty with that after
 * the last.
 */
#include "selftest.h"

static const char kilobyte[] = TEXT_1000;

SEC("syscall") __not_in_mainline("a print without arguments may not have NULL for them")
__scenario(load_remove)
int load_remove(void *ctx)
{
	int i;

	bpf_for(i, 0, 8) {
		bpf_stream_vprintk(BPF_STDOUT, kilobyte, NULL, 0);
		bpf_stream_vprintk(BPF_STDERR, kilobyte, NULL, 0);
	}
	return 0;
}

/*
 * "Memory is bounded by the text: at most 24 bytes of overhead a record and pages are given back as
 * they are read": the program fills stdout with lines of 54 bytes; the scenario compares the memory in
 * use with the size of the text, and checks that reading frees it. Returns how many lines fit into 4
 * MiB.
 */
SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(text_memory)
int memory_of_text(void *ctx)
{
	int i, fitted = 0;

	bpf_for(i, 0, 100 * 1000) {
		if (bpf_stream_printk(BPF_STDOUT, "%07d one of as many short lines as stdout can take\n", i))
			break;
		fitted++;
	}
	return fitted;
}
