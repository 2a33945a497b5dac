// SPDX-License-Identifier: GPL-2.0-only
/*
 * "1023 bytes a message; -E2BIG (-7): the formatted text is longer than 1023 bytes; nothing printed. An
 * empty text queues nothing." Each program returns the result of its print; the lengths come from constant
 * text and from conversions, which the kernel formats in different ways.
 */
#include "selftest.h"

SEC("syscall")
int constant_0(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "");
}

SEC("syscall")
int constant_1(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "1");
}

SEC("syscall")
int constant_1022(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, TEXT_1000 "1234567890123456789012");
}

SEC("syscall")
int constant_1023(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, TEXT_1000 "12345678901234567890123");
}

SEC("syscall") __not_in_mainline("a text that is too long by one is cut, with a NUL at its end, and the print succeeds")
int constant_1024(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, TEXT_1000 "123456789012345678901234");
}

SEC("syscall")
int formatted_0(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "%s", "");
}

SEC("syscall")
int formatted_1(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "%d", 1);
}

SEC("syscall")
int formatted_1022(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "%01022d", 1022);
}

SEC("syscall")
int formatted_1023(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "%01023d", 1023);
}

SEC("syscall") __not_in_mainline("a text that is too long by one is cut, with a NUL at its end, and the print succeeds")
int formatted_1024(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "%01024d", 1024);
}

/* The limit applies to the text, which may be shorter or longer than its format. */
SEC("syscall")
int long_format_short_text(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, TEXT_1000 "%s%s%s%s%s%s%s%s%s%s%s%s", "", "", "", "",
				 "", "", "", "", "", "", "", "");
}

/* Two percent signs in the format are one byte of text: a format of 1046 bytes prints 1023. */
SEC("syscall")
int percent_signs_1023(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, TEXT_1000
				 "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%");
}

/* Two texts of the maximum length: nothing of the first leaks into the second. */
SEC("syscall")
int both_streams_1023(void *ctx)
{
	int err;

	err = bpf_stream_printk(BPF_STDOUT, "%-1022s\n", "stdout");
	if (err)
		return err;
	return bpf_stream_printk(BPF_STDERR, "%-1022s\n", "stderr");
}

/* A print that fails between two that succeed leaves no trace. */
SEC("syscall") __not_in_mainline("a text that is too long by one is cut, with a NUL at its end, and the print succeeds")
int too_long_between(void *ctx)
{
	int err;

	bpf_stream_printk(BPF_STDOUT, "before\n");
	err = bpf_stream_printk(BPF_STDOUT, "%01024d", 1024);
	bpf_stream_printk(BPF_STDOUT, "after\n");
	return err;
}
