// SPDX-License-Identifier: GPL-2.0-only
/* Other ways for a program to print, as a comparison with streams. */
#include "bench.h"

/* To the global trace buffer, which overwrites its oldest text. */
SEC("syscall")
__scenario(bench)
int printk_of_three_integers(void *ctx)
{
	return print_cost(bpf_printk("three integers %d %d %d in a text", turn, turn * 2, 1));
}

/* Room for the prints of all rounds, as there is no reader. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

SEC("syscall")
__scenario(bench)
int ringbuf_output_of_54_bytes(void *ctx)
{
	static const char text[] = "a constant text of fifty-four bytes, with no arguments";

	_Static_assert(sizeof(text) == 54 + 1, "as long as the constant text of a print");
	return print_cost(bpf_ringbuf_output(&ring, (void *)text, sizeof(text) - 1, BPF_RB_NO_WAKEUP));
}
