// SPDX-License-Identifier: GPL-2.0-only
/*
 * "bpftool prog tracelog --follow reads a stream descriptor and ends when the program is gone and everything
 * was shown", and on Ctrl-C; it prints what was refused. The scenarios run the programs, and note bpftool's
 * output and exit status.
 */
#include "selftest.h"

static int runs;

static __always_inline int print_line(void)
{
	runs++;
	bpf_stream_printk(BPF_STDOUT, "line %d to stdout\n", runs);
	bpf_stream_printk(BPF_STDERR, "line %d to stderr\n", runs);
	return 0;
}

/* Followed by two bpftools, one per stream, which must not keep the program loaded. */
SEC("syscall") __not_in_mainline("its bpftool cannot follow a program, and knows of no counts")
__scenario(bpftool_follow_freed_prog)
int gone(void *ctx)
{
	return print_line();
}

/* Followers exit cleanly. */
SEC("syscall") __not_in_mainline("its bpftool cannot follow a program, and knows of no counts")
__scenario(bpftool_follow_signals)
int signals(void *ctx)
{
	return print_line();
}

/* Two programs of one name. */
SEC("syscall") __not_in_mainline("its bpftool cannot follow a program, and knows of no counts")
__scenario(bpftool_follow_several)
int several(void *ctx)
{
	return print_line();
}

/* A user without the right to open programs by id. */
SEC("syscall") __not_in_mainline("its bpftool cannot follow a program, and knows of no counts")
__scenario(bpftool_follow_pinned)
int by_pin(void *ctx)
{
	return print_line();
}

/* Batches that go on when the program is freed. */
SEC("syscall") __not_in_mainline("its bpftool cannot follow a program, and knows of no counts")
__scenario(bpftool_follow_batch)
int batch(void *ctx)
{
	return print_line();
}

/* With a limit of 4096 bytes: four long texts, which end within a line, and three that are refused. */
static __always_inline int fill(int stream)
{
	int i, refused = 0;

	bpf_for(i, 0, 4)
		bpf_stream_printk(stream, TEXT_1000 "x");
	bpf_for(i, 0, 3)
		refused += bpf_stream_printk(stream, TEXT_100) == -28 /* ENOSPC */;
	return refused;
}

SEC("syscall") __not_in_mainline("its bpftool cannot follow a program, and knows of no counts")
__scenario(bpftool_counts)
int counts(void *ctx)
{
	return fill(BPF_STDOUT) + fill(BPF_STDERR);
}

SEC("syscall") __not_in_mainline("its bpftool cannot follow a program, and knows of no counts")
__scenario(bpftool_follow_counts)
int counts_followed(void *ctx)
{
	return fill(BPF_STDOUT) + fill(BPF_STDERR);
}

#define EURO_20 "€€€€€€€€€€€€€€€€€€€€"
#define EURO_100 EURO_20 EURO_20 EURO_20 EURO_20 EURO_20

/* 400,000 characters of three bytes in one line: more than bpftool buffers for a line. */
SEC("syscall") __not_in_mainline("its bpftool cannot follow a program, and knows of no counts")
__scenario(bpftool_long_line)
int long_line(void *ctx)
{
	int i, err = 0;

	bpf_for(i, 0, 2000)
		err = err ?: bpf_stream_printk(BPF_STDOUT, EURO_100 EURO_100);
	return err;
}
