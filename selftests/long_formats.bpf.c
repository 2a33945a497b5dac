// SPDX-License-Identifier: GPL-2.0-only
/*
 * "-E2BIG: the formatted text is longer than 1023 bytes; nothing printed, in bounded time whatever the
 * format's length": formats of a megabyte, and widths of millions. A print must not take longer than that
 * of a format of 4000 bytes, give or take; both are timed with interrupts enabled, and the shortest of several
 * times counts.
 */
#include "selftest.h"

#define LONG (1 << 20)
#define SHORT 4000

#define TRIES 20

/* Times differ by this factor and this many nanoseconds at most; a scan of the long format takes 250 times. */
#define FACTOR 10
#define SLACK 20000

/* A format that ends with a NUL, in a read-only map of its own. */
#define FORMAT(name, size) static const char name[size] SEC(".rodata." #name)

FORMAT(long_text, LONG) = { [0 ... LONG - 2] = 'x' };
FORMAT(short_text, SHORT) = { [0 ... SHORT - 2] = 'x' };
/* an even number of '%' */
FORMAT(long_percents, LONG) = { [0 ... LONG - 3] = '%' };
FORMAT(short_percents, SHORT) = { [0 ... SHORT - 3] = '%' };
FORMAT(long_after_number, LONG) = { '%', 'd', [2 ... LONG - 2] = 'x' };
FORMAT(short_after_number, SHORT) = { '%', 'd', [2 ... SHORT - 2] = 'x' };
FORMAT(long_width, LONG) = { '%', [1 ... LONG - 3] = '0', 'd' };
FORMAT(short_width, SHORT) = { '%', [1 ... SHORT - 3] = '0', 'd' };

#define shortest_of(call)                                                 \
	({                                                                \
		__u64 __shortest = ~0ULL, __begun, __took;                \
		int __i;                                                  \
									  \
		bpf_for(__i, 0, TRIES) {                                  \
			__begun = bpf_ktime_get_ns();                     \
			call;                                             \
			__took = bpf_ktime_get_ns() - __begun;            \
			if (__took < __shortest)                          \
				__shortest = __took;                      \
		}                                                         \
		__shortest;                                               \
	})

/* Returns 1 if the long format took longer. */
#define compare(long_format, short_format, args, len)                                               \
	({                                                                                          \
		__u64 __short, __long;                                                              \
		int __err;                                                                          \
												    \
		__short = shortest_of(bpf_stream_vprintk(BPF_STDOUT, short_format, args, len));     \
		__long = shortest_of(__err = bpf_stream_vprintk(BPF_STDOUT, long_format, args, len)); \
		bpf_stream_printk(BPF_STDERR, "%s%s\n", result(__err),                              \
				  __long > FACTOR * __short + SLACK ? ", and took too long" : "");  \
	})

SEC("syscall") __not_in_mainline("it scans formats to their ends, and cuts what is too long")
int only_text(void *ctx)
{
	__u64 none[1] = {};

	return compare(long_text, short_text, none, 0);
}

SEC("syscall") __not_in_mainline("it scans formats to their ends, and cuts what is too long")
int only_percents(void *ctx)
{
	__u64 none[1] = {};

	return compare(long_percents, short_percents, none, 0);
}

SEC("syscall") __not_in_mainline("it scans formats to their ends, and cuts what is too long")
int text_after_number(void *ctx)
{
	__u64 number[1] = { 1 };

	return compare(long_after_number, short_after_number, number, sizeof(number));
}

/* A width of as many zeros, of which the short one is valid. */
SEC("syscall") __not_in_mainline("it scans formats to their ends, and cuts what is too long")
int digits_of_width(void *ctx)
{
	__u64 number[1] = { 1 };

	return compare(long_width, short_width, number, sizeof(number));
}

/* A width that is a large number. */
SEC("syscall") __not_in_mainline("it cuts what is too long")
int large_width(void *ctx)
{
#define width(format)                                                               \
	({                                                                          \
		__u64 __took = shortest_of(bpf_stream_printk(BPF_STDOUT, format, 1)); \
		bpf_stream_printk(BPF_STDERR, "%s%s\n",                             \
				  result(bpf_stream_printk(BPF_STDOUT, format, 1)), \
				  __took > 1000000 ? ", and took too long" : "");   \
	})
	width("%1024d");
	width("%8000000d");
	width("%08000000d");
	width("%-8000000d|");
	width("%2147483647d");
	return 0;
}
