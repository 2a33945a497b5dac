// SPDX-License-Identifier: GPL-2.0-only
/*
 * "vprintk returns -ENOENT: no such stream id; -EINVAL: len not a multiple of 8, above 12 arguments, bad
 * format. A failed print leaves no trace": each program makes invalid prints to stdout, which stays empty,
 * and prints the results to stderr.
 */
#include "selftest.h"

#define report(what, ret) bpf_stream_printk(BPF_STDERR, what ": %s\n", result(ret))

SEC("syscall")
int bad_id(void *ctx)
{
	report("id 0", bpf_stream_printk(0, "lost"));
	report("id 3", bpf_stream_printk(3, "lost"));
	report("id -1", bpf_stream_printk(-1, "lost"));
	report("id 2147483647", bpf_stream_printk(2147483647, "lost"));
	report("id -2147483648", bpf_stream_printk(-2147483647 - 1, "lost"));
	report("id 0 and a bad format", bpf_stream_printk(0, "%"));
	report("id 3 and an empty text", bpf_stream_printk(3, ""));
	return 0;
}

static const char no_conversion[] = "lost\n";
static const char one_number[] = "%d\n";
static const char twelve_numbers[] = "%d %d %d %d %d %d %d %d %d %d %d %d\n";

SEC("syscall") __not_in_mainline("it has the form with four parameters only")
int bad_length(void *ctx)
{
	__u64 args[14] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };

	report("len 1", bpf_stream_vprintk(BPF_STDOUT, one_number, args, 1));
	report("len 7", bpf_stream_vprintk(BPF_STDOUT, one_number, args, 7));
	report("len 9", bpf_stream_vprintk(BPF_STDOUT, one_number, args, 9));
	report("len 95", bpf_stream_vprintk(BPF_STDOUT, twelve_numbers, args, 95));
	report("len 97", bpf_stream_vprintk(BPF_STDOUT, twelve_numbers, args, 97));
	report("len 104, 13 arguments", bpf_stream_vprintk(BPF_STDOUT, twelve_numbers, args, 104));
	report("len 112, 14 arguments", bpf_stream_vprintk(BPF_STDOUT, twelve_numbers, args, 112));
	report("len 7, constant text", bpf_stream_vprintk(BPF_STDOUT, no_conversion, args, 7));
	report("len 104, constant text", bpf_stream_vprintk(BPF_STDOUT, no_conversion, args, 104));
	report("len 9, five parameters",
	       bpf_stream_vprintk_impl(BPF_STDOUT, one_number, args, 9, NULL));
	return 0;
}

SEC("syscall")
int too_few_arguments(void *ctx)
{
	report("%%d without any", bpf_stream_printk(BPF_STDOUT, "%d\n"));
	report("%%s without any", bpf_stream_printk(BPF_STDOUT, "%s\n"));
	report("%%d %%d with one", bpf_stream_printk(BPF_STDOUT, "%d %d\n", 1));
	report("13 %%d with 12", bpf_stream_printk(BPF_STDOUT, "%d%d%d%d%d%d%d%d%d%d%d%d%d\n", 1, 2,
						   3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
	return 0;
}

SEC("syscall")
int bad_conversion(void *ctx)
{
	report("%%", bpf_stream_printk(BPF_STDOUT, "%", 1));
	report("text%%", bpf_stream_printk(BPF_STDOUT, "text%", 1));
	report("%%5", bpf_stream_printk(BPF_STDOUT, "%5", 1));
	report("%%l", bpf_stream_printk(BPF_STDOUT, "%l", 1));
	report("%%llld", bpf_stream_printk(BPF_STDOUT, "%llld", 1));
	report("%%z", bpf_stream_printk(BPF_STDOUT, "%z", 1));
	report("%%hd", bpf_stream_printk(BPF_STDOUT, "%hd", 1));
	report("%%o", bpf_stream_printk(BPF_STDOUT, "%o", 1));
	report("%%f", bpf_stream_printk(BPF_STDOUT, "%f", 1));
	report("%%n", bpf_stream_printk(BPF_STDOUT, "%n", 1));
	report("%%#x", bpf_stream_printk(BPF_STDOUT, "%#x", 1));
	report("%%*d", bpf_stream_printk(BPF_STDOUT, "%*d", 1, 2));
	report("%%.3s", bpf_stream_printk(BPF_STDOUT, "%.3s", "text"));
	report("%%sx", bpf_stream_printk(BPF_STDOUT, "%sx", "text"));
	report("%%pZ", bpf_stream_printk(BPF_STDOUT, "%pZ", 1));
	report("%%pI5", bpf_stream_printk(BPF_STDOUT, "%pI5", 1));
	report("%%pk", bpf_stream_printk(BPF_STDOUT, "%pk", 1));
	report("a control byte", bpf_stream_printk(BPF_STDOUT, "\001"));
	report("a control byte after a conversion", bpf_stream_printk(BPF_STDOUT, "%d\001", 1));
	report("a byte above 127 as a conversion", bpf_stream_printk(BPF_STDOUT, "%\303\244", 1));
	return 0;
}

/* A failed print does not affect the next one. */
SEC("syscall") __not_in_mainline("a text that is too long by one is cut, with a NUL at its end, and the print succeeds")
int good_after_bad(void *ctx)
{
	report("id 0", bpf_stream_printk(0, "lost"));
	report("%%z", bpf_stream_printk(BPF_STDOUT, "%z", 1));
	report("too long", bpf_stream_printk(BPF_STDOUT, "%01024d", 1));
	report("%%d with 12", bpf_stream_printk(BPF_STDOUT, "printed %d\n", 12));
	return 0;
}
