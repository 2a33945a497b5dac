// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Verifier rejections: a NULL or non-constant format, args that are no readable memory of len
 * bytes, a missing capability: each a clear message in the log": none of these programs may load.
 */
#include "selftest.h"

static const char format[] = "%d %d\n";

SEC("syscall") __not_in_mainline("it refuses NULL by another rule")
int null_format(void *ctx)
{
	return bpf_stream_vprintk(BPF_STDOUT, NULL, NULL, 0);
}

/* A number from outside, so that the compiler does not know it is a bad address. */
SEC("syscall") __not_in_mainline("its verifier names the register where 6.12's says arg")
int number_as_format(void *ctx)
{
	return bpf_stream_vprintk(BPF_STDOUT, (void *)(long)bpf_get_prandom_u32(), NULL, 0);
}

/* In .data, which user space and the program can change after the load. */
static char writable[] = "text that may change\n";

SEC("syscall")
int writable_format(void *ctx)
{
	writable[0] = 'T';
	return bpf_stream_vprintk(BPF_STDOUT, writable, NULL, 0);
}

SEC("syscall") __not_in_mainline("its verifier names the register where 6.12's says arg")
int format_on_stack(void *ctx)
{
	char text[8] = "text\n";

	barrier_var(ctx);
	return bpf_stream_vprintk(BPF_STDOUT, text, NULL, 0);
}

SEC("syscall")
int format_at_variable_offset(void *ctx)
{
	return bpf_stream_vprintk(BPF_STDOUT, format + (bpf_get_prandom_u32() & 3), NULL, 0);
}

static const char unterminated[4] SEC(".rodata.unterminated") = { 'o', 'p', 'e', 'n' };

SEC("syscall")
int unterminated_format(void *ctx)
{
	return bpf_stream_vprintk(BPF_STDOUT, unterminated, NULL, 0);
}

SEC("syscall") __not_in_mainline("a print without arguments may not have NULL for them")
int args_null_with_length(void *ctx)
{
	return bpf_stream_vprintk(BPF_STDOUT, format, NULL, 16);
}

SEC("syscall") __not_in_mainline("its words for memory that is too short are others")
int args_shorter_than_length(void *ctx)
{
	__u64 args[1] = { 1 };

	return bpf_stream_vprintk(BPF_STDOUT, format, args, 16);
}

SEC("syscall") __not_in_mainline("its verifier names the register where 6.12's says arg")
int number_as_args(void *ctx)
{
	return bpf_stream_vprintk(BPF_STDOUT, format, (void *)(long)bpf_get_prandom_u32(), 16);
}

SEC("syscall") __not_in_mainline("its verifier names the register where 6.12's says arg")
int unbounded_length(void *ctx)
{
	__u64 args[2] = { 1, 2 };

	return bpf_stream_vprintk(BPF_STDOUT, format, args, bpf_get_prandom_u32());
}

/* Both forms are checked in the same way. */
SEC("syscall") __not_in_mainline("it has the form with four parameters only")
int null_format_five_parameters(void *ctx)
{
	return bpf_stream_vprintk_impl(BPF_STDOUT, NULL, NULL, 0, NULL);
}

SEC("syscall") __not_in_mainline("it has the form with four parameters only")
int args_shorter_five_parameters(void *ctx)
{
	__u64 args[1] = { 1 };

	return bpf_stream_vprintk_impl(BPF_STDOUT, format, args, 16, NULL);
}

/*
 * "The program needs CAP_PERFMON as bpf_printk does": for the load, the scenario drops every capability but
 * CAP_BPF and CAP_NET_ADMIN, which a tc program needs in any case.
 */
SEC("tc")
__scenario(without_perfmon)
int without_perfmon(struct __sk_buff *skb)
{
	return bpf_stream_printk(BPF_STDOUT, "lost");
}

SEC("tc") __not_in_mainline("it has the form with four parameters only")
__scenario(without_perfmon)
int without_perfmon_five_parameters(struct __sk_buff *skb)
{
	return bpf_stream_vprintk_impl(BPF_STDOUT, format, NULL, 0, NULL);
}
