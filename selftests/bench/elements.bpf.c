// SPDX-License-Identifier: GPL-2.0-only
/* Reading from BPF: takes an element of the program's own stream, and frees it. */
#include "bench.h"

SEC("syscall")
__scenario(bench)
__not_in_mainline("it has no kfuncs that read a stream from BPF")
int next_elem(void *ctx)
{
	struct bpf_stream *stream = bpf_stream_get(BPF_STDOUT);
	struct bpf_stream_elem *elem;
	int turn;

	if (!stream)
		return -1;
	bpf_for(turn, 0, TURNS)
		if (bpf_stream_printk(BPF_STDOUT, "a constant text of fifty-four bytes, with no arguments\n") < 0)
			return -1;
	return cost(TURNS, elem = bpf_stream_next_elem(stream); if (!elem) return -1; bpf_stream_free_elem(elem));
}
