// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Reading from BPF itself": bpf_stream_get() for the program's own stream, bpf_prog_stream_get() for
 * another's, bpf_stream_next_elem() from any context, and the text of an element as a dynptr that
 * cannot be written to. "A program that reads and one that uses the syscall can share a stream and no
 * text is seen twice or lost."
 */
#include "arena.h"
#include <bpf/bpf_tracing.h>

/* The agent's process; the agent sets it before the object is loaded. */
const volatile __u32 target_tgid;

extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;
extern bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *p) __ksym;

/* Maximum length of an element's text. */
#define LONGEST 1023

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} texts SEC(".maps");

/* Request of the scenario (guest/src/scenario/kfunc_reader/drain.rs). */
struct drain_request {
	__u32 program;
	__u32 stream;
	__u32 most;
	__u32 bytes; /* passed on */
};

static char passing_on[LONGEST + 1];

/* Copies the element's text to passing_on, with a NUL after it; returns its length. */
static __always_inline __u32 copy_text(struct bpf_stream_elem *elem)
{
	struct bpf_dynptr text;
	__u32 len;

	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	len = bpf_dynptr_size(&text);
	if (len > LONGEST || bpf_dynptr_read(passing_on, len, &text, 0, 0))
		return 0;
	passing_on[len] = 0;
	return len;
}

/*
 * The first use case: passes the text of another program to user space in a ring buffer. Returns the number
 * of elements.
 */
SEC("syscall")
__auxiliary
int drain(struct drain_request *request)
{
	struct bpf_stream_elem *elem;
	struct bpf_stream *stream;
	int err = 0, taken = 0;
	__u32 i, len;

	stream = bpf_prog_stream_get(request->stream, request->program);
	if (!stream)
		return -1;
	bpf_for(i, 0, request->most) {
		elem = bpf_stream_next_elem(stream);
		if (!elem)
			break;
		len = copy_text(elem);
		bpf_stream_free_elem(elem);
		taken++;
		if (!len || len > LONGEST) {
			err = -2;
			break;
		}
		err = bpf_ringbuf_output(&texts, passing_on, len, BPF_RB_NO_WAKEUP);
		if (err)
			break;
		request->bytes += len;
	}
	bpf_prog_stream_put(stream);
	return err ?: taken;
}

/* Texts of every kind: constant, formatted, of maximum length, and more of them than fit a page. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
__load_with(drain)
__scenario(kfunc_reader)
int to_a_ring_buffer(void *ctx)
{
	int i;

	bpf_stream_printk(BPF_STDOUT, "a constant text\n");
	bpf_stream_printk(BPF_STDOUT, "numbers: %d and %s\n", 42, "a string");
	bpf_stream_printk(BPF_STDERR, "to stderr\n");
	bpf_for(i, 0, 6)
		bpf_stream_printk(BPF_STDOUT, TEXT_1000);
	bpf_stream_printk(BPF_STDOUT, "the end\n");
	return 0;
}

/* Alternating readers: each continues where the other has stopped. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
__load_with(drain)
__scenario(kfunc_reader_alternating)
int by_turns(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "the first of three lines\n");
	bpf_stream_printk(BPF_STDOUT, "the second of three lines\n");
	bpf_stream_printk(BPF_STDOUT, "the third of three lines\n");
	return 0;
}

/*
 * 600 faults: 512 reports, and the line with the number of suppressed reports, are read as elements. Then
 * all reports of a second run are counted.
 */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
__load_with(drain)
__repeat(2)
__scenario(kfunc_reader_reports)
int suppressed_reports(void *ctx)
{
	void *pointer = in_arena(PAGE(1));
	int i;

	bpf_for(i, 0, 600)
		touch(pointer);
	return 0;
}

#define KINDS 64

/* Single bytes, which are never split: equally many of each value. Returns their number. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
__requires(two_cpus)
__load_with(drain)
__scenario(kfunc_reader_concurrent)
int shared(void *ctx)
{
	int i, err;

	bpf_for(i, 0, KINDS * 100) {
		err = bpf_stream_printk(BPF_STDOUT, "%c", '0' + i % KINDS);
		if (err)
			return err;
	}
	return KINDS * 100;
}

/* Reads all of the program's own stdout, and prints it to stderr. */
static __always_inline int take_own(const char *who)
{
	struct bpf_stream_elem *elem;
	struct bpf_stream *stream;
	int i;

	stream = bpf_stream_get(BPF_STDOUT);
	if (!stream)
		return -1;
	bpf_for(i, 0, 10) {
		elem = bpf_stream_next_elem(stream);
		if (!elem)
			break;
		copy_text(elem);
		bpf_stream_free_elem(elem);
		bpf_stream_printk(BPF_STDERR, "%s took: %s", who, passing_on);
	}
	return i;
}

/* Returns the number of texts. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int its_own_stream(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "first\n");
	bpf_stream_printk(BPF_STDOUT, "second\n");
	return take_own("the program");
}

/*
 * A call returns the oldest text however many there are, although it takes a bounded number of steps: the first
 * of 100,000 texts of one byte, and then the others in order.
 */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
__scenario(line_count)
int first_of_100000(void *ctx)
{
	struct bpf_stream_elem *elem;
	struct bpf_stream *stream;
	int i, err, calls = 0, wrong = 0;

	bpf_for(i, 0, 100 * 1000) {
		err = bpf_stream_printk(BPF_STDOUT, "%c", '0' + i % KINDS);
		if (err)
			return err;
	}
	stream = bpf_stream_get(BPF_STDOUT);
	if (!stream)
		return -1;
	bpf_for(i, 0, 10 * 1000) {
		elem = bpf_stream_next_elem(stream);
		if (!elem)
			break;
		copy_text(elem);
		bpf_stream_free_elem(elem);
		if (!calls)
			bpf_stream_printk(BPF_STDERR, "the first call returned %s\n", passing_on);
		wrong += passing_on[0] != '0' + calls % KINDS;
		calls++;
	}
	bpf_stream_printk(BPF_STDERR, "%d calls returned a text, %d not the oldest\n", calls,
			  wrong);
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int no_such_stream(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "stream 0: %s, stream 3: %s\n",
			  bpf_stream_get(0) ? "there" : "NULL",
			  bpf_stream_get(3) ? "there" : "NULL");
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int no_such_program(void *ctx)
{
	struct bpf_stream *stream;

	stream = bpf_prog_stream_get(BPF_STDOUT, -1);
	bpf_stream_printk(BPF_STDOUT, "%s\n", stream ? "there" : "NULL");
	if (stream)
		bpf_prog_stream_put(stream);
	return 0;
}

/* Reading an element removes it and frees its room: 4096 bytes fit again and again. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
__scenario(limit_4096)
int room_is_given_back(void *ctx)
{
	struct bpf_stream_elem *elem;
	struct bpf_stream *stream;
	int i, refused = 0;

	stream = bpf_stream_get(BPF_STDOUT);
	if (!stream)
		return -1;
	bpf_for(i, 0, 100) {
		refused += bpf_stream_printk(BPF_STDOUT, TEXT_1000) < 0;
		elem = bpf_stream_next_elem(stream);
		if (elem)
			bpf_stream_free_elem(elem);
		/* a text may be split into two elements */
		elem = bpf_stream_next_elem(stream);
		if (elem)
			bpf_stream_free_elem(elem);
	}
	return refused;
}

/* Holds two elements at a time, and frees them in the order in which they were taken. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int two_at_a_time(void *ctx)
{
	struct bpf_stream_elem *first, *second;
	struct bpf_stream *stream;

	bpf_stream_printk(BPF_STDOUT, "first\n");
	bpf_stream_printk(BPF_STDOUT, "second\n");
	stream = bpf_stream_get(BPF_STDOUT);
	if (!stream)
		return -1;
	first = bpf_stream_next_elem(stream);
	if (!first)
		return -2;
	second = bpf_stream_next_elem(stream);
	if (second)
		bpf_stream_printk(BPF_STDERR, "%d and %d bytes\n", first->mem_slice.len,
				  second->mem_slice.len);
	bpf_stream_free_elem(first);
	if (second)
		bpf_stream_free_elem(second);
	return 0;
}

/* The dynptr of a text is read-only, and has no flags. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int read_only(void *ctx)
{
	struct bpf_dynptr text, clone;
	struct bpf_stream_elem *elem;
	struct bpf_stream *stream;
	char byte = '-';

	bpf_stream_printk(BPF_STDOUT, "text\n");
	stream = bpf_stream_get(BPF_STDOUT);
	if (!stream)
		return -1;
	elem = bpf_stream_next_elem(stream);
	if (!elem)
		return -2;
	bpf_stream_printk(BPF_STDERR, "flags: %s\n",
			  result(bpf_dynptr_from_mem_slice(&elem->mem_slice, 1, &text)));
	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	bpf_dynptr_clone(&text, &clone);
	bpf_stream_printk(BPF_STDERR, "read-only: %d, its clone: %d\n",
			  bpf_dynptr_is_rdonly(&text), bpf_dynptr_is_rdonly(&clone));
	bpf_stream_printk(BPF_STDERR, "write: %s, data: %s\n",
			  result(bpf_dynptr_write(&text, 0, &byte, 1, 0)),
			  bpf_dynptr_data(&text, 0, 1) ? "there" : "NULL");
	copy_text(elem);
	bpf_stream_printk(BPF_STDERR, "afterwards: %s", passing_on);
	bpf_stream_free_elem(elem);
	return 0;
}

struct element {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct element);
} timers SEC(".maps");

static int expired(void *map, __u32 *key, struct element *element)
{
	take_own(context());
	return 0;
}

/* "From any context": a timer callback reads, in softirq. */
SEC("syscall") __requires(bpf_timer) __not_in_mainline("it has no kfuncs that read streams from BPF")
__wait_stderr(19)
int softirq(void *ctx)
{
	struct element *element;
	__u32 key = 0;
	int err;

	element = bpf_map_lookup_elem(&timers, &key);
	if (!element)
		return -1;
	bpf_stream_printk(BPF_STDOUT, "text\n");
	err = bpf_timer_init(&element->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	if (!err)
		err = bpf_timer_set_callback(&element->timer, expired);
	if (!err)
		err = bpf_timer_start(&element->timer, 0, 0);
	return err;
}

static __u32 seen;

/* The scenario waits for stdout, so the callback prints there after it has read. */
SEC("tp_btf/nmi_handler") __not_in_mainline("it has no kfuncs that read streams from BPF")
__requires(injected_nmi)
__scenario(nmi)
int BPF_PROG(nmi, void *handler, s64 delta_ns, int handled)
{
	if (__sync_lock_test_and_set(&seen, 1))
		return 0;
	bpf_stream_printk(BPF_STDOUT, "text\n");
	take_own(context());
	bpf_stream_printk(BPF_STDOUT, "the text was read\n");
	return 0;
}

static struct bpf_spin_lock lock SEC(".data.lock");

/* Elements can be taken and freed while a lock is held. */
SEC("tc") __not_in_mainline("it has no kfuncs that read streams from BPF")
int spin_lock(struct __sk_buff *skb)
{
	struct bpf_stream_elem *elem;
	struct bpf_stream *stream;
	int taken = 0;

	bpf_stream_printk(BPF_STDOUT, "text\n");
	stream = bpf_stream_get(BPF_STDOUT);
	if (!stream)
		return -1;
	bpf_spin_lock(&lock);
	elem = bpf_stream_next_elem(stream);
	if (elem) {
		taken++;
		bpf_stream_free_elem(elem);
	}
	bpf_spin_unlock(&lock);
	return taken;
}

static int called;

/*
 * The kernel calls this for each piece that a read system call copies. The first two times this prints to
 * its own stdout. The next two times its own stdout is being read.
 */
SEC("fentry/bpf_stream_elem_free")
__auxiliary
int reader(void *ctx)
{
	struct bpf_stream_elem *elem;
	struct bpf_stream *stream;

	if (bpf_get_current_pid_tgid() >> 32 != target_tgid || called >= 4)
		return 0;
	if (called++ < 2) {
		bpf_stream_printk(BPF_STDOUT, "line %d\n", called);
		return 0;
	}
	stream = bpf_stream_get(BPF_STDOUT);
	if (!stream)
		return 0;
	elem = bpf_stream_next_elem(stream);
	bpf_stream_printk(BPF_STDERR, "while a system call reads: %s\n",
			  elem ? "an element" : "NULL");
	if (elem)
		bpf_stream_free_elem(elem);
	return 0;
}

/* "Never waits": while a system call reads the stream, the kfunc returns NULL. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
__load_with(reader)
__scenario(nested_read)
int while_reading(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "first\n");
	bpf_stream_printk(BPF_STDOUT, "second\n");
	return 0;
}
