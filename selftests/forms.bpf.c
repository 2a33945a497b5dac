// SPDX-License-Identifier: GPL-2.0-only
/*
 * "bpf_stream_vprintk: four parameters: the verifier supplies the program. bpf_stream_vprintk_impl: the
 * five-parameter form that programs built for 6.18 and 6.19 call": both print the same, also in one
 * program, with any fifth argument, and with arguments in any readable memory.
 */
#include "selftest.h"

static const char four[] = "bpf_stream_vprintk with %d parameters\n";
static const char five[] = "bpf_stream_vprintk_impl with %d parameters\n";

SEC("syscall")
int four_parameters(void *ctx)
{
	__u64 args[] = { 4 };

	bpf_stream_vprintk(BPF_STDERR, four, args, sizeof(args));
	return bpf_stream_vprintk(BPF_STDOUT, four, args, sizeof(args));
}

SEC("syscall") __not_in_mainline("it has the form with four parameters only")
int five_parameters(void *ctx)
{
	__u64 args[] = { 5 };

	bpf_stream_vprintk_impl(BPF_STDERR, five, args, sizeof(args), NULL);
	return bpf_stream_vprintk_impl(BPF_STDOUT, five, args, sizeof(args), NULL);
}

/* The verifier overwrites the fifth argument, so a program's value has no effect. */
SEC("syscall") __not_in_mainline("it has the form with four parameters only")
int fifth_is_ignored(void *ctx)
{
	__u64 args[] = { 5 };

	return bpf_stream_vprintk_impl(BPF_STDOUT, five, args, sizeof(args),
				       (void *)(long)bpf_get_prandom_u32());
}

SEC("syscall") __not_in_mainline("it has the form with four parameters only")
int both(void *ctx)
{
	__u64 args[] = { 4, 5 };
	int err;

	err = bpf_stream_vprintk(BPF_STDOUT, four, &args[0], sizeof(args[0]));
	if (err)
		return err;
	return bpf_stream_vprintk_impl(BPF_STDOUT, five, &args[1], sizeof(args[1]), NULL);
}

/* Arguments in read-only memory. */
SEC("syscall") __not_in_mainline("arguments in a read-only map are refused")
int read_only_arguments(void *ctx)
{
	static const volatile __u64 args[] = { 4, 5 };
	int err;

	err = bpf_stream_vprintk(BPF_STDOUT, four, (const void *)&args[0], sizeof(args[0]));
	if (err)
		return err;
	return bpf_stream_vprintk_impl(BPF_STDOUT, five, (const void *)&args[1], sizeof(args[1]),
				       NULL);
}
