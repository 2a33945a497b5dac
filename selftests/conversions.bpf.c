// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Formats as bpf_trace_vprintk": every conversion that the kernel's parser of BPF formats accepts, with
 * flags and widths, and 12 arguments in one print. The printed value is on the left.
 */
#include "selftest.h"

#define print(fmt, args...) bpf_stream_printk(BPF_STDOUT, fmt "\n", ##args)

/* "text of user space" in the agent's memory; the agent sets it before the object is loaded. */
const volatile __u64 user_text;

SEC("syscall")
int integers(void *ctx)
{
	print("-1 as d, i, u, x, X: %d %i %u %x %X", -1, -1, -1, -1, -1);
	print("-1 as ld, li, lu, lx, lX: %ld %li %lu %lx %lX", -1L, -1L, -1L, -1L, -1L);
	print("-1 as lld, lli, llu: %lld %lli %llu", -1LL, -1LL, -1LL);
	print("-1 as llx, llX: %llx %llX", -1LL, -1LL);
	print("2^32 + 7 as d, u, x, llu: %d %u %x %llu", (1LL << 32) + 7, (1LL << 32) + 7,
	      (1LL << 32) + 7, (1LL << 32) + 7);
	print("0 as d, u, x, lld: %d %u %x %lld", 0, 0, 0, 0LL);
	print("smallest and largest lld: %lld %lld", 1LL << 63, ~(1LL << 63));
	return 0;
}

SEC("syscall")
int widths(void *ctx)
{
	print("42 as 6d, -6d, 06d, +d, ' d': [%6d] [%-6d] [%06d] [%+d] [% d]", 42, 42, 42, 42, 42);
	print("-42 as 6d, -6d, 06d, +d, ' d': [%6d] [%-6d] [%06d] [%+d] [% d]", -42, -42, -42,
	      -42, -42);
	print("0xabc as 8x, -8x, 08x, 08X, 1x: [%8x] [%-8x] [%08x] [%08X] [%1x]", 0xabc, 0xabc,
	      0xabc, 0xabc, 0xabc);
	print("0xabc as 12llx, -12lx: [%12llx] [%-12lx]", 0xabcLL, 0xabcL);
	print("abc as 6s, -6s, 2s: [%6s] [%-6s] [%2s]", "abc", "abc", "abc");
	return 0;
}

SEC("syscall")
int characters(void *ctx)
{
	print("letters: %c%c%c", 'a', 'b', 'c');
	print("percent: %% 100%%");
	print("percent between conversions: %d%%%d%%", 1, 2);
	print("tab and blanks:\t[  ]");
	print("UTF-8 in the format: Grüße, %s", "and in a text: naïve");
	return 0;
}

SEC("syscall")
int strings(void *ctx)
{
	print("text: [%s]", "kernel memory");
	print("empty: [%s]", "");
	print("two: [%s, %s]", "one", "two");
	print("as pks: [%pks]", "kernel memory");
	print("not readable: [%s] [%pks]", 0xdeadUL, 0xdeadUL);
	return 0;
}

/* User memory is read by %pus, and by %s where the kernel can tell user addresses apart. */
SEC("syscall")
int user_strings(void *ctx)
{
	print("as pus: [%pus]", user_text);
	print("not readable: [%pus]", 0xdeadUL);
	return 0;
}

SEC("syscall")
int addresses(void *ctx)
{
	const __u8 ip4[4] = { 192, 0, 2, 1 };
	const __u8 ip6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

	print("192.0.2.1 as pI4: %pI4", ip4);
	print("192.0.2.1 as pi4: %pi4", ip4);
	print("2001:db8::1 as pI6: %pI6", ip6);
	print("2001:db8::1 as pi6: %pi6", ip6);
	print("not readable: %pI4", 0xdeadUL);
	return 0;
}

SEC("syscall")
int twelve_arguments(void *ctx)
{
	print("%d %s %c %x %lld %u %s %d %lx %i %X %llu", 1, "two", '3', 4, 5LL, 6, "seven", 8,
	      9L, 10, 0xb, 12LL);
	return 0;
}

/* Excess arguments are ignored. */
SEC("syscall")
int unused_arguments(void *ctx)
{
	print("two of three: %d %d", 1, 2, 3);
	print("none of one", 1);
	return 0;
}
