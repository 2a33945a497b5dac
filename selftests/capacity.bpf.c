// SPDX-License-Identifier: GPL-2.0-only
/*
 * "4 MiB of unread text a stream by default, set by the sysctl kernel.bpf_stream_max_bytes (4096 to
 * 64 MiB; a print that would pass the limit gets -ENOSPC; a lower value takes effect at once and
 * drops nothing that is queued)", and "a failed print leaves no trace: capacity is given back".
 */
#include "selftest.h"

/* More than any limit that the tests below set. */
#define FOREVER (8 << 20)

static const char kilobyte[] = TEXT_1000 "and twenty-three bytes\n";

_Static_assert(sizeof(kilobyte) == 1023 + 1, "the longest text that a print takes");

/* Prints to stdout until a print is refused; prints how much was accepted, and the error. */
static __noinline int fill_by_byte(void)
{
	int i, err = 0, fitted = 0;

	bpf_for(i, 0, FOREVER) {
		err = bpf_stream_printk(BPF_STDOUT, ".");
		if (err)
			break;
		fitted++;
	}
	bpf_stream_printk(BPF_STDERR, "%d bytes fitted, then %s\n", fitted, result(err));
	return fitted;
}

static __noinline int fill_by_kilobyte(void)
{
	int i, err = 0, fitted = 0;

	bpf_for(i, 0, FOREVER) {
		err = bpf_stream_vprintk(BPF_STDOUT, kilobyte, NULL, 0);
		if (err)
			break;
		fitted++;
	}
	bpf_stream_printk(BPF_STDERR, "%d texts of 1023 bytes fitted, then %s\n", fitted,
			  result(err));
	return fitted;
}

/*
 * The default limit, 4 MiB. Returns how many bytes stdout accepted; the scenario reads them all and notes
 * their number, as the text is too long for a snapshot.
 */
SEC("syscall") __not_in_mainline("a print without arguments may not have NULL for them")
__scenario(line_count)
int default_limit(void *ctx)
{
	return fill_by_kilobyte() * 1023 + fill_by_byte();
}

/*
 * The scenario sets the limit to 4096 and runs the program (fills it), runs it again (still full), reads
 * 100 bytes and runs it (100 fit), reads all and runs it (4096 fit). Each run returns how many bytes were
 * accepted, after prints that fail for other reasons and must not use up room.
 */
SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(fill_and_drain)
int fill_and_drain(void *ctx)
{
	int i;

	bpf_for(i, 0, 100) {
		bpf_stream_printk(BPF_STDOUT, "%01024d", i);
		bpf_stream_printk(BPF_STDOUT, "%z", i);
		bpf_stream_printk(BPF_STDOUT, "");
	}
	return fill_by_byte();
}

/*
 * As above, with texts of 55 bytes: 74 of them leave 26 of 4096 bytes. After reading 100 bytes, one text
 * and a part of the next, two more fit; only one would fit if the partly read text did not count.
 */
SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(fill_and_drain)
int part_of_a_text(void *ctx)
{
	static const char text[] = ".......................................................";
	int i, fitted = 0;

	_Static_assert(sizeof(text) == 55 + 1, "see above");
	bpf_for(i, 0, FOREVER) {
		if (bpf_stream_vprintk(BPF_STDOUT, text, NULL, 0))
			break;
		fitted += sizeof(text) - 1;
	}
	return fitted;
}

/* Refused as a whole: no part of a text that does not fit is printed. */
SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(limit_4096)
int all_or_nothing(void *ctx)
{
	int i, err;

	bpf_for(i, 0, 4)
		bpf_stream_vprintk(BPF_STDOUT, kilobyte, NULL, 0);
	err = bpf_stream_printk(BPF_STDOUT, "lost!");
	bpf_stream_printk(BPF_STDERR, "4 bytes are free, 5 bytes: %s\n", result(err));
	err = bpf_stream_printk(BPF_STDOUT, "last");
	bpf_stream_printk(BPF_STDERR, "4 bytes are free, 4 bytes: %s\n", result(err));
	err = bpf_stream_printk(BPF_STDOUT, "!");
	bpf_stream_printk(BPF_STDERR, "none is free, 1 byte: %s\n", result(err));
	err = bpf_stream_printk(BPF_STDOUT, "");
	bpf_stream_printk(BPF_STDERR, "none is free, an empty text: %s\n", result(err));
	return 0;
}

/*
 * The scenario runs the program with the default limit (8184 bytes fit), lowers the limit to 4096 and runs
 * it again (none fits), reads everything (nothing was dropped), and runs it once more (4092 fit). Each run
 * prints eight texts of 1023 bytes and returns how many bytes were accepted.
 */
SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(lower_limit)
int lower_limit(void *ctx)
{
	int i, fitted = 0;

	bpf_for(i, 0, 8)
		fitted += bpf_stream_vprintk(BPF_STDOUT, kilobyte, NULL, 0) == 0 ? 1023 : 0;
	return fitted;
}

/*
 * The scenario writes valid and invalid values to the sysctl, and notes the results and the values
 * afterwards; the program is only loaded.
 */
SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(limit_bounds)
int limit_bounds(void *ctx)
{
	return 0;
}

/*
 * Prints that are refused for their length use no room: here their total length exceeds the limit. The text
 * after them is so long that it needs the room of one of them.
 */
SEC("syscall") __not_in_mainline("a print that is too long keeps the room that it asked for")
int after_too_long_prints(void *ctx)
{
	int i;

	bpf_for(i, 0, 5000)
		bpf_stream_printk(BPF_STDOUT, "%01100d", i);
	bpf_stream_printk(BPF_STDERR, "after 5000 prints of 1100 bytes: %s\n",
			  result(bpf_stream_printk(BPF_STDOUT, TEXT_1000)));
	return 0;
}
