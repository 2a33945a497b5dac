/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that print as many lines as their scenario wants (harness/guest/src/scenario/wanted.rs), for tests
 * of readers.
 */
#ifndef __WANTED_H
#define __WANTED_H

#include "selftest.h"

struct wanted {
	__u32 stdout_lines;
	__u32 stderr_lines;
	__u32 empty_prints;
};

/* Returns the first error. */
static __always_inline int print_wanted(struct wanted *wanted)
{
	int err = 0;
	__u32 i;

	bpf_for(i, 0, wanted->stdout_lines)
		err = err ?: bpf_stream_printk(BPF_STDOUT, "text\n");
	bpf_for(i, 0, wanted->stderr_lines)
		err = err ?: bpf_stream_printk(BPF_STDERR, "TEXT\n");
	bpf_for(i, 0, wanted->empty_prints) {
		err = err ?: bpf_stream_printk(BPF_STDOUT, "");
		err = err ?: bpf_stream_printk(BPF_STDERR, "%s", "");
	}
	return err;
}

#endif
