// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A reader of streams, built as one outside the kernel's tree is. */
#include <stdio.h>
#include <bpf/bpf.h>

int main(void)
{
	char text[64];
	int n;

	/* no program has this file descriptor, so there is nothing that could be read */
	n = bpf_prog_stream_read(-1, BPF_STREAM_STDOUT, text, sizeof(text), NULL);
	printf("read returned %d\n", n);
	return n < 0 ? 0 : 1;
}
