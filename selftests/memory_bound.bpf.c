// SPDX-License-Identifier: GPL-2.0-only
/*
 * "The pages that a stream pins never exceed twice its limit plus 256 KiB, whatever the length of the texts
 * and however many prints or reports were refused; a print that would pass that bound gets -ENOSPC. Pages are
 * given back as they are read": the scenarios run the programs as often as they say, and compare the memory
 * in use with the bound and, when all is read, with that before.
 */
#include "arena.h"

/* More than any limit that the scenarios set. */
#define FOREVER (8 << 20)

/* Returns 0 when no more byte fits, for want of room. */
static __noinline int fill_by_byte(int stream)
{
	int i, err = 0;

	bpf_for(i, 0, FOREVER) {
		err = bpf_stream_printk(stream, ".");
		if (err)
			break;
	}
	return err == -28 /* ENOSPC */ ? 0 : err ?: 1;
}

/* With the default limit. */
SEC("syscall") __not_run_in_mainline("it has another limit, and no bound of its memory")
__scenario(memory_bound)
int single_bytes(void *ctx)
{
	return fill_by_byte(BPF_STDOUT);
}

/* Formatted, as constant texts may be stored otherwise. */
SEC("syscall") __not_run_in_mainline("it has another limit, and no bound of its memory")
__scenario(memory_bound)
int single_digits(void *ctx)
{
	int i, err = 0;

	bpf_for(i, 0, FOREVER) {
		err = bpf_stream_printk(BPF_STDOUT, "%d", i & 7);
		if (err)
			break;
	}
	return err == -28 /* ENOSPC */ ? 0 : err ?: 1;
}

/* With the limit 4096: dumps that do not fit, between single bytes. */
SEC("syscall") __not_run_in_mainline("it has another limit, and no bound of its memory")
__repeat(4)
__scenario(memory_bound_4096)
int refused_dumps(void *ctx)
{
	int i;

	bpf_for(i, 0, 8000) {
		bpf_stream_printk(BPF_STDERR, ".");
		bpf_stream_print_stack(BPF_STDERR);
	}
	return 0;
}

/* As above with reports. */
SEC("syscall") __not_run_in_mainline("it has another limit, and no bound of its memory")
__repeat(4)
__scenario(memory_bound_4096)
int refused_reports(void *ctx)
{
	void *pointer = in_arena(PAGE(1));
	int i;

	bpf_for(i, 0, 8000) {
		bpf_stream_printk(BPF_STDERR, ".");
		touch(pointer);
	}
	return 0;
}

/* As above with long texts. */
SEC("syscall") __not_run_in_mainline("it has another limit, and no bound of its memory")
__repeat(4)
__scenario(memory_bound_4096)
int refused_texts(void *ctx)
{
	int i;

	bpf_for(i, 0, 4) {
		bpf_stream_printk(BPF_STDERR, TEXT_1000);
		bpf_stream_printk(BPF_STDOUT, "%s", TEXT_500);
	}
	bpf_for(i, 0, 8000) {
		bpf_stream_printk(BPF_STDERR, ".");
		bpf_stream_printk(BPF_STDERR, TEXT_1000);
		bpf_stream_printk(BPF_STDOUT, ".");
		bpf_stream_printk(BPF_STDOUT, "%s" TEXT_500, TEXT_500);
	}
	return 0;
}

/* Between the runs, 1000 bytes are read in small pieces. */
SEC("syscall") __not_run_in_mainline("it has another limit, and no bound of its memory")
__repeat(100)
__scenario(memory_bound_partial_reads)
int partial_reads(void *ctx)
{
	return fill_by_byte(BPF_STDOUT);
}

struct flags {
	volatile __u32 held; /* set by the program when it holds its elements */
	volatile __u32 measured; /* set by the scenario */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flags);
} flags SEC(".maps");

/* Takes an element, and frees the next few thousand, so that elements of many pages are held. */
#define take_one_of_many(stream)                                         \
	({                                                               \
		struct bpf_stream_elem *__taken, *__next;                \
		int __i;                                                 \
									 \
		__taken = bpf_stream_next_elem(stream);                  \
		bpf_for(__i, 0, 3000) {                                  \
			__next = bpf_stream_next_elem(stream);           \
			if (!__next)                                     \
				break;                                   \
			bpf_stream_free_elem(__next);                    \
		}                                                        \
		__taken;                                                 \
	})

#define free_taken(elem)                          \
	({                                        \
		if (elem)                         \
			bpf_stream_free_elem(elem); \
	})

/*
 * Holds four elements while the stream is filled again, until the scenario has measured. Returns 0 if it had
 * all of them.
 */
SEC("syscall") __not_run_in_mainline("it has another limit, and no bound of its memory")
__requires(two_cpus)
__scenario(memory_bound_held)
int held_elements(void *ctx)
{
	struct bpf_stream_elem *first, *second, *third, *fourth;
	struct bpf_stream *stream;
	struct flags *shared;
	__u32 key = 0;
	int err;

	shared = bpf_map_lookup_elem(&flags, &key);
	stream = bpf_stream_get(BPF_STDOUT);
	if (!shared || !stream)
		return -1;
	err = fill_by_byte(BPF_STDOUT);
	first = take_one_of_many(stream);
	second = take_one_of_many(stream);
	third = take_one_of_many(stream);
	fourth = take_one_of_many(stream);
	err = err ?: fill_by_byte(BPF_STDOUT);
	if (!first || !second || !third || !fourth)
		err = -2;
	shared->held = 1;
	wait_until(shared->measured);
	free_taken(first);
	free_taken(second);
	free_taken(third);
	free_taken(fourth);
	return err;
}

static const char half_kilobyte[] = TEXT_500;

/*
 * With the limit 16384: 16 MB of text are printed and taken from the stream, two pages at a time, with
 * softirqs disabled, so that nothing frees the pages which do not fit into the reserve. They count as memory
 * of the stream, and prints may fail.
 */
SEC("tc") __not_in_mainline("it has no kfuncs that read streams from BPF")
__requires(two_cpus)
__scenario(memory_bound_recycled)
int taken_with_softirqs_disabled(struct __sk_buff *skb)
{
	struct bpf_stream_elem *elem;
	struct bpf_stream *stream;
	int i, j, err = 0;

	stream = bpf_stream_get(BPF_STDOUT);
	if (!stream)
		return 1;
	bpf_for(i, 0, 2048) {
		bpf_for(j, 0, 16) {
			err = bpf_stream_printk(BPF_STDOUT, "%s", half_kilobyte);
			if (err)
				break;
		}
		bpf_for(j, 0, 40) {
			elem = bpf_stream_next_elem(stream);
			if (!elem)
				break;
			bpf_stream_free_elem(elem);
		}
	}
	return !err || err == -28 /* ENOSPC */ ? 0 : -err;
}
