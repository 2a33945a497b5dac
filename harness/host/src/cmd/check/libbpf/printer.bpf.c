// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A program that prints, built as one outside the kernel's tree is. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("syscall")
int print(void *ctx)
{
	/* MORE is nothing, or what is one value too many */
	bpf_stream_printk(1, "no value\n");
	return bpf_stream_printk(1, "%d %d %d %d %d %d %d %d %d %d %d %d\n",
				 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 MORE);
}
