// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Formats as bpf_trace_vprintk", by two implementations: common conversions in one pass, and all others as
 * in bpf_trace_vprintk(). The texts must be the same. Here the same values go to stdout by common
 * conversions, and to stderr by others: the flag 0 without a width does not change the text, but is not a
 * common conversion.
 */
#include "selftest.h"

static const __u64 values[] = {
	0,
	1,
	9,
	10,
	99,
	100,
	101,
	9999,
	10000,
	99999999,
	100000000,
	(1ULL << 31) - 1,
	1ULL << 31,
	(1ULL << 32) - 1,
	1ULL << 32,
	9999999999999999,
	10000000000000000,
	(1ULL << 63) - 1,
	1ULL << 63,
	-1ULL << 31,
	-10LL,
	-1LL,
};

SEC("syscall")
int integers(void *ctx)
{
	__u32 i;

	bpf_for(i, 0, ARRAY_SIZE(values)) {
		__u64 v = values[i];

		bpf_stream_printk(BPF_STDOUT,
				  "%d %i %u %x %X, %ld %li %lu %lx %lX\n",
				  v, v, v, v, v, v, v, v, v, v);
		bpf_stream_printk(BPF_STDERR,
				  "%0d %0i %0u %0x %0X, %0ld %0li %0lu %0lx %0lX\n",
				  v, v, v, v, v, v, v, v, v, v);
	}
	return 0;
}

SEC("syscall")
int long_integers(void *ctx)
{
	__u32 i;

	bpf_for(i, 0, ARRAY_SIZE(values)) {
		__u64 v = values[i];

		bpf_stream_printk(BPF_STDOUT, "%lld %lli %llu %llx %llX\n", v, v, v, v, v);
		bpf_stream_printk(BPF_STDERR, "%0lld %0lli %0llu %0llx %0llX\n", v, v, v, v, v);
	}
	return 0;
}

/* %c uses the lowest byte. */
SEC("syscall")
int characters(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "%c%c [%c] [%c]\n", 'a', 0xffffff00 | 'b', '\t', 0);
	bpf_stream_printk(BPF_STDERR, "%0c%0c [%0c] [%0c]\n", 'a', 0xffffff00 | 'b', '\t', 0);
	return 0;
}

SEC("syscall")
int percent_signs(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "%%%d%%%s%%%%%c%%\n", 1, "two", '3');
	bpf_stream_printk(BPF_STDERR, "%%%0d%%%0s%%%%%0c%%\n", 1, "two", '3');
	return 0;
}

/* Everything that may follow %s, and nothing after the last one. */
SEC("syscall")
int around_strings(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "%s,%s%%%s\t%s%s.%s", "a", "b", "c", "d", "e", "f");
	bpf_stream_printk(BPF_STDERR, "%0s,%0s%%%0s\t%0s%0s.%0s", "a", "b", "c", "d", "e", "f");
	return 0;
}

/* Longer than three words, the unit of reading; strings begin and end anywhere in a word. */
static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

SEC("syscall")
int string_ends(void *ctx)
{
	__u32 i;

	bpf_for(i, 0, sizeof(letters)) {
		bpf_stream_printk(BPF_STDOUT, "[%s]\n", letters + i);
		bpf_stream_printk(BPF_STDERR, "[%0s]\n", letters + i);
	}
	return 0;
}

SEC("syscall")
int unreadable_strings(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "[%s] [%s] %d\n", 0UL, 0xdeadUL, 1);
	bpf_stream_printk(BPF_STDERR, "[%0s] [%0s] %0d\n", 0UL, 0xdeadUL, 1);
	return 0;
}

/* All values of a print share 512 bytes; a string that does not fit is cut. */
static const char kilobyte[] = TEXT_1000;

#define last_bytes(n) (kilobyte + sizeof(kilobyte) - 1 - (n))

SEC("syscall")
int longest_strings(void *ctx)
{
	static const __u16 lengths[] = { 500, 501, 510, 511, 512, 513, 600 };
	__u32 i;

	bpf_for(i, 0, ARRAY_SIZE(lengths)) {
		bpf_stream_printk(BPF_STDOUT, "%s|\n", last_bytes(lengths[i]));
		bpf_stream_printk(BPF_STDERR, "%0s|\n", last_bytes(lengths[i]));
	}
	return 0;
}

SEC("syscall")
int strings_share_the_room(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "%s|%d|%s|\n", last_bytes(300), 1, last_bytes(300));
	bpf_stream_printk(BPF_STDERR, "%0s|%0d|%0s|\n", last_bytes(300), 1, last_bytes(300));
	return 0;
}

/* The room left for a number after strings of different lengths. */
SEC("syscall") __not_in_mainline("it says -ENOSPC where the room for the arguments is too small")
int number_after_string(void *ctx)
{
	static const __u16 lengths[] = { 490, 499, 500, 502, 503, 504, 507, 508, 511 };
	__u32 i;

	bpf_for(i, 0, ARRAY_SIZE(lengths)) {
		int ret = bpf_stream_printk(BPF_STDOUT, "%s%lld\n", last_bytes(lengths[i]), 1);

		bpf_stream_printk(BPF_STDERR, "%d bytes: %s\n", lengths[i], result(ret));
	}
	return 0;
}

/* A text that ends with a 20-digit number at the last byte of the buffer, or after it. */
SEC("syscall") __not_in_mainline("a text that is too long by one is cut, with a NUL at its end, and the print succeeds")
int number_at_the_end(void *ctx)
{
	int err;

	err = bpf_stream_printk(BPF_STDOUT, TEXT_1000 "12%lld\n", 1ULL << 63);
	if (err)
		return err;
	err = bpf_stream_printk(BPF_STDOUT, TEXT_1000 "123%llu", -1ULL);
	if (err)
		return err;
	return bpf_stream_printk(BPF_STDOUT, TEXT_1000 "1234%llu", -1ULL);
}

SEC("syscall") __not_in_mainline("a text that is too long by one is cut, with a NUL at its end, and the print succeeds")
int string_at_the_end(void *ctx)
{
	int err;

	err = bpf_stream_printk(BPF_STDOUT,
				"%s\n" TEXT_500 "%s\n12345678901234567890123456789012345678901",
				last_bytes(380), last_bytes(100));
	if (err)
		return err;
	err = bpf_stream_printk(BPF_STDOUT, TEXT_1000 "%s", last_bytes(23));
	if (err)
		return err;
	return bpf_stream_printk(BPF_STDOUT, TEXT_1000 "%s", last_bytes(24));
}

SEC("syscall") __not_in_mainline("a text that is too long by one is cut, with a NUL at its end, and the print succeeds")
int text_at_the_end(void *ctx)
{
	int err;

	err = bpf_stream_printk(BPF_STDOUT, "%d" TEXT_1000 "1234567890123456789012", 1);
	if (err)
		return err;
	return bpf_stream_printk(BPF_STDOUT, "%d" TEXT_1000 "12345678901234567890123", 1);
}

/* The error comes last: nothing before it is printed. */
SEC("syscall")
int wrong_at_the_end(void *ctx)
{
#define wrong(what, fmt, args...) \
	bpf_stream_printk(BPF_STDERR, what ": %s\n", result(bpf_stream_printk(BPF_STDOUT, fmt, ##args)))
	wrong("%%z", "lost %d %s %z", 1, "text", 2);
	wrong("%%", "lost %d %s %", 1, "text", 2);
	wrong("%%l", "lost %d %l", 1, 2);
	wrong("%%ll", "lost %d %ll", 1, 2);
	wrong("%%llld", "lost %d %llld", 1, 2);
	wrong("%%lc", "lost %d %lc", 1, 2);
	wrong("%%ls", "lost %d %ls", 1, "text");
	wrong("%%sx", "lost %d %sx", 1, "text");
	wrong("%%s before a letter that is not ASCII", "lost %d %s\303\244", 1, "text");
	wrong("a control byte", "lost %d \001", 1);
	wrong("DEL", "lost %d \177", 1);
	wrong("no value", "lost %d %s %d", 1, "text");
#undef wrong
	return 0;
}
