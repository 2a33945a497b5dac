// SPDX-License-Identifier: GPL-2.0-only
/*
 * "bpftool prog tracelog { stdout | stderr } PROG: the program's stdout goes to stdout, its stderr to
 * stderr". The programs print, the scenarios call bpftool of the patched tree and note its output; where
 * the notes have no text, stdout and stderr are those of bpftool.
 */
#include "selftest.h"

SEC("syscall")
__scenario(bpftool)
int text(void *ctx)
{
	print_to_both("one line");
	print_to_both("another line");
	bpf_stream_printk(BPF_STDOUT, "and one that does not end");
	return 0;
}

/* Zeros, control characters and invalid UTF-8: each byte is copied unchanged. */
static const char bytes_of_all_kinds[] = "caf\xc3\xa9 \xff\xc3( \x1b[31m\x7f \xf0\x9f\x98\x80";

static __always_inline int print_bytes(void)
{
	bpf_stream_printk(BPF_STDOUT, "a zero [%c], a tab\t, \"quotes\", \\, %s\n", 0,
			  bytes_of_all_kinds);
	bpf_stream_printk(BPF_STDOUT, "half a character: \xe2\x82");
	return 0;
}

SEC("syscall")
__scenario(bpftool)
int bytes(void *ctx)
{
	return print_bytes();
}

/* A complete report, as shown by bpftool. */
SEC("syscall")
__scenario(bpftool)
int report(void *ctx)
{
	return bpf_stream_print_stack(BPF_STDERR);
}

SEC("syscall")
__scenario(bpftool)
int nothing(void *ctx)
{
	/* so that it has streams */
	return bpf_stream_printk(BPF_STDOUT, "");
}

/* By id, pin, name and tag; the name is longer than the 15 characters that the kernel stores. */
SEC("syscall")
__scenario(bpftool_prog_specs)
int each_way_to_name_it(void *ctx)
{
	print_to_both("line");
	return 0;
}

SEC("syscall") __not_in_mainline("its bpftool has no JSON of a stream")
__scenario(bpftool_json)
int json(void *ctx)
{
	bpf_stream_printk(BPF_STDERR, "line one\nline two\n");
	return print_bytes();
}

/* Invalid arguments; the text is still unread afterwards. */
SEC("syscall") __not_in_mainline("its bpftool answers a bad stream name with its usage, and takes abbreviations")
__scenario(bpftool_errors)
int refused(void *ctx)
{
	print_to_both("line");
	return 0;
}

SEC("syscall")
__scenario(bpftool_freed_prog)
int gone(void *ctx)
{
	print_to_both("line");
	return 0;
}

SEC("syscall")
__scenario(bpftool_unprivileged)
int without_rights(void *ctx)
{
	print_to_both("line");
	return 0;
}

/* Two programs with the same name and tag, which is ambiguous. */
SEC("syscall")
__scenario(bpftool_ambiguous)
int several(void *ctx)
{
	print_to_both("line");
	return 0;
}

__u32 printed;

/* Records of 908 bytes each. */
#define TEXT_908(begin) begin "\n" TEXT_500 TEXT_100 TEXT_100 TEXT_100 TEXT_100

/*
 * Prints while bpftool reads, in each run more than bpftool reads at once. The first record of a run begins
 * with the number of earlier records; numbering all of them would take long.
 */
SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(bpftool_busy)
int busy(void *ctx)
{
	int i;

	if (bpf_stream_printk(BPF_STDOUT, TEXT_908("%07u"), printed))
		return printed;
	printed++;
	for (i = 1; i < 80; i++) {
		if (bpf_stream_printk(BPF_STDOUT, TEXT_908("       ")))
			break;
		printed++;
	}
	return printed;
}

SEC("syscall") __not_in_mainline("its bpftool has no --follow")
__scenario(bpftool_help)
int help(void *ctx)
{
	return 0;
}
