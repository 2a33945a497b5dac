// SPDX-License-Identifier: GPL-2.0-only
/* One print to a stream, of each kind. */
#include "bench.h"

#define TEXT "a constant text of fifty-four bytes, with no arguments\n"

SEC("syscall")
__scenario(bench)
int constant_text(void *ctx)
{
	return print_cost(bpf_stream_printk(BPF_STDOUT, TEXT));
}

SEC("syscall")
__scenario(bench)
int three_integers(void *ctx)
{
	return print_cost(bpf_stream_printk(BPF_STDOUT, "three integers %d %d %d in a text\n", turn, turn * 2, 1));
}

SEC("syscall")
__scenario(bench)
int string_of_128_bytes(void *ctx)
{
	static const char text[] = "................................................................"
				   "................................................................";

	_Static_assert(sizeof(text) == 128 + 1, "as long as its name says");
	return print_cost(bpf_stream_printk(BPF_STDOUT, "%s\n", text));
}

SEC("syscall")
__scenario(bench)
int twelve_arguments(void *ctx)
{
	return print_cost(bpf_stream_printk(BPF_STDOUT, "%d %d %d %d %d %d %d %d %d %d %d %d\n", turn, 2, 3,
					    4, 5, 6, 7, 8, 9, 10, 11, 12));
}

/* There is no reader while it is filled, so all measured prints are refused. */
SEC("syscall")
__scenario(bench)
int into_full_stream(void *ctx)
{
	int turn;

	bpf_for(turn, 0, 1 << 20)
		if (bpf_stream_printk(BPF_STDOUT, TEXT_1000) < 0)
			break;
	bpf_for(turn, 0, 1 << 20)
		if (bpf_stream_printk(BPF_STDOUT, TEXT) < 0)
			break;
	turn = cost(TURNS, bpf_stream_printk(BPF_STDOUT, TEXT));
	return bpf_stream_printk(BPF_STDOUT, TEXT) < 0 ? turn : -1;
}
