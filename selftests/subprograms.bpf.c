// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Streams: two a program (main program's, shared by its subprograms)": subprograms and callbacks
 * print to the streams of the program that they belong to, and the texts are in the order of the
 * prints.
 */
#include "selftest.h"

static __noinline int static_function(int value)
{
	bpf_stream_printk(BPF_STDOUT, "static subprogram %d\n", value);
	bpf_stream_printk(BPF_STDERR, "static subprogram %d\n", value);
	return value + 1;
}

__noinline int global_function(int value)
{
	bpf_stream_printk(BPF_STDOUT, "global subprogram %d\n", value);
	bpf_stream_printk(BPF_STDERR, "global subprogram %d\n", value);
	return value + 1;
}

SEC("syscall")
int subprograms(void *ctx)
{
	int value = 1;

	print_to_both("main program, before,");
	value = static_function(value);
	value = global_function(value);
	print_to_both("main program, after,");
	return value;
}

static int each_turn(__u32 index, void *unused)
{
	bpf_stream_printk(BPF_STDOUT, "turn %u of bpf_loop\n", index);
	return 0;
}

SEC("syscall")
int loop_callback(void *ctx)
{
	return bpf_loop(3, each_turn, NULL, 0);
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

static long each_element(struct bpf_map *map, __u32 *key, __u64 *value, void *unused)
{
	bpf_stream_printk(BPF_STDERR, "element %u of bpf_for_each_map_elem\n", *key);
	return 0;
}

SEC("syscall")
int element_callback(void *ctx)
{
	return bpf_for_each_map_elem(&array, each_element, NULL, 0);
}
