// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Nothing is lost silently: for each stream the count of messages and bytes refused, shown in the prog
 * fd's fdinfo with the bytes pending", by reason, never reset by a read, and including kernel reports that
 * did not fit. The scenarios note the counts in fdinfo, or compare them with the errors that the program
 * got.
 */
#include "arena.h"

static const char kilobyte[] = TEXT_1000 "and twenty-three bytes\n";

_Static_assert(sizeof(kilobyte) == 1023 + 1, "the longest text that a print takes");

/* A limit of 4096 bytes: 4 are left when 5 are printed, three times. */
SEC("syscall") __not_in_mainline("it counts nothing of what it refuses")
__scenario(fdinfo_limit_4096)
int full(void *ctx)
{
	int i, refused = 0;

	bpf_for(i, 0, 4)
		bpf_stream_vprintk(BPF_STDERR, kilobyte, NULL, 0);
	bpf_for(i, 0, 3)
		refused += bpf_stream_printk(BPF_STDERR, "lost\n") == -28 /* ENOSPC */;
	bpf_stream_printk(BPF_STDOUT, "fits\n");
	return refused;
}

/* Invalid arguments are not counted as refused. */
SEC("syscall") __not_in_mainline("a text that is too long by one is cut, with a NUL at its end, and the print succeeds")
__scenario(fdinfo_counts)
int mistakes(void *ctx)
{
	int failed = 0;

	failed += bpf_stream_printk(BPF_STDOUT, "%01024d", 1) < 0;
	failed += bpf_stream_printk(BPF_STDOUT, "%z", 1) < 0;
	failed += bpf_stream_printk(3, "no such stream\n") < 0;
	failed += bpf_stream_printk(BPF_STDOUT, "") < 0;
	return failed;
}

/* 600 reports, of which 512 fit; reading makes room, but does not reset the count. */
SEC("syscall") __not_in_mainline("it counts nothing of what it refuses")
__scenario(fdinfo_counts)
int reports(void *ctx)
{
	void *pointer = in_arena(PAGE(1));
	int i;

	bpf_for(i, 0, 600)
		touch(pointer);
	return 0;
}

/* A program that cannot print has no counts. */
SEC("syscall")
__scenario(fdinfo_counts)
int without_streams(void *ctx)
{
	return 0;
}

/* With interrupts off, no page is added after those of the CPU are used up. */
SEC("syscall") __not_in_mainline("it counts nothing of what it refuses")
__scenario(fdinfo_nomem)
int no_memory(void *ctx)
{
	unsigned long flags;
	int i, refused = 0;

	bpf_local_irq_save(&flags);
	bpf_for(i, 0, 500)
		refused += bpf_stream_vprintk(BPF_STDOUT, kilobyte, NULL, 0) == -12 /* ENOMEM */;
	bpf_local_irq_restore(&flags);
	return refused;
}

/*
 * Each of these runs when a print releases its formatting buffer, unless it already runs on this CPU, so
 * the fourth nested print finds no buffer. Each prints to its own streams, and they count their errors
 * together.
 */
static int busy;

static __always_inline int print_within(void)
{
	/* with a width, as prints with only common conversions release the buffer elsewhere */
	if (bpf_stream_printk(BPF_STDOUT, "%1d\n", 1) == -16 /* EBUSY */)
		__sync_fetch_and_add(&busy, 1);
	return 0;
}

SEC("fentry/bpf_bprintf_cleanup")
__auxiliary
int second(void *ctx)
{
	return print_within();
}

SEC("fentry/bpf_bprintf_cleanup")
__auxiliary
int third(void *ctx)
{
	return print_within();
}

SEC("fentry/bpf_bprintf_cleanup")
__auxiliary
int fourth(void *ctx)
{
	return print_within();
}

SEC("syscall") __not_run_in_mainline("it counts nothing of what it refuses")
__load_with(second)
__load_with(third)
__load_with(fourth)
__scenario(fdinfo_busy)
int nested_too_deep(void *ctx)
{
	print_within();
	return busy;
}

/* Request of the scenario (guest/src/scenario/follower.rs). */
struct lines {
	__u32 writer;
	__u32 first;
	__u32 count;
};

/* Every line is tried once; a number that is not read was refused. */
static __always_inline int print_lines(struct lines *lines)
{
	__u32 i;
	int err;

	bpf_for(i, 0, lines->count) {
		err = bpf_stream_printk(BPF_STDOUT, "%07d %07d\n", lines->writer,
					lines->first + i);
		if (err && err != -28 /* ENOSPC */ && err != -12 /* ENOMEM */)
			return err;
	}
	return 0;
}

SEC("syscall") __not_in_mainline("it counts nothing of what it refuses")
__requires(two_cpus)
__scenario(follower)
int followed(struct lines *lines)
{
	return print_lines(lines);
}

SEC("syscall") __not_in_mainline("it counts nothing of what it refuses")
__requires(two_cpus)
__scenario(follower_bpftool)
int followed_by_bpftool(struct lines *lines)
{
	return print_lines(lines);
}
