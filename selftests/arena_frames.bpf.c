// SPDX-License-Identifier: GPL-2.0-only
/*
 * "The frame of the program names the line that ran: the call for a frame that is waiting for a
 * return, the faulting instruction itself for a fault", and "the report lands in the stream of the
 * main program when a subprogram or callback is running".
 */
#include "arena.h"
#include "inlined.h"

static __noinline int static_function(void *pointer)
{
	touch(pointer);
	return 0;
}

SEC("syscall")
int subprogram(void *ctx)
{
	void *pointer = in_arena(PAGE(1));

	return static_function(pointer);
}

/* Verified separately, so it creates its own pointer. */
__noinline int global_function(int number)
{
	void *pointer = in_arena(PAGE(number & 7));

	touch(pointer);
	return number;
}

SEC("syscall") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int global_subprogram(void *ctx)
{
	return global_function(2);
}

/* The maximum depth of calls. */
static __noinline int eighth(void *pointer)
{
	touch(pointer);
	return 8;
}

static __noinline int seventh(void *pointer)
{
	return eighth(pointer) + 7;
}

static __noinline int sixth(void *pointer)
{
	return seventh(pointer) + 6;
}

static __noinline int fifth(void *pointer)
{
	return sixth(pointer) + 5;
}

static __noinline int fourth(void *pointer)
{
	return fifth(pointer) + 4;
}

static __noinline int third(void *pointer)
{
	return fourth(pointer) + 3;
}

static __noinline int second(void *pointer)
{
	return third(pointer) + 2;
}

SEC("syscall")
int eight_frames(void *ctx)
{
	void *pointer = in_arena(PAGE(1));

	return second(pointer) + 1;
}

static int each_turn(__u32 index, void *unused)
{
	void *pointer = in_arena(PAGE(1 + (index & 1)));

	touch(pointer);
	return 0;
}

SEC("syscall") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int loop_callback(void *ctx)
{
	return bpf_loop(2, each_turn, NULL, 0);
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

static long each_element(struct bpf_map *map, __u32 *key, __u64 *value, void *unused)
{
	void *pointer = in_arena(PAGE(3));

	touch(pointer);
	return 0;
}

SEC("syscall") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int element_callback(void *ctx)
{
	return bpf_for_each_map_elem(&array, each_element, NULL, 0);
}

/*
 * Each line below is one instruction. The instruction that faults is the first of its line, so code that
 * takes its address for a return address reports the line before.
 */
SEC("syscall") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int first_of_its_line(void *ctx)
{
	void *pointer = in_arena(PAGE(1));
	__u64 value = 1;

	asm volatile("%[value] += 1 /* the line before */" : [value] "+r"(value));
	asm volatile("*(u64 *)(%[at] + 0) = %[v]" : : [at] "r"(pointer), [v] "r"(value) : "memory");
	asm volatile("%[value] += 2 /* between the lines */" : [value] "+r"(value));
	asm volatile("%[v] = *(u64 *)(%[at] + 8)" : [v] "=r"(value) : [at] "r"(pointer) : "memory");
	asm volatile("%[value] += 3 /* the line after */" : [value] "+r"(value));
	return value;
}

/* The source line is in the header. */
SEC("syscall") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int inlined(void *ctx)
{
	void *pointer = in_arena(PAGE(1));

	store_in_header(pointer);
	return 0;
}

static __noinline int inlined_deeper(void *pointer)
{
	store_in_header(pointer);
	touch(pointer + 8);
	return 0;
}

SEC("syscall")
int inlined_in_subprogram(void *ctx)
{
	void *pointer = in_arena(PAGE(1));

	return inlined_deeper(pointer);
}

/* Text that a program prints goes to the stream that it names. */
SEC("syscall") __not_in_mainline_on(x86_64, "it names the line before the faulting one, where a line begins with the fault")
int between_texts(void *ctx)
{
	void *pointer = in_arena(PAGE(1));

	bpf_stream_printk(BPF_STDERR, "before the first\n");
	touch(pointer);
	bpf_stream_printk(BPF_STDERR, "between the two\n");
	touch(pointer);
	bpf_stream_printk(BPF_STDERR, "after the second\n");
	return 0;
}
