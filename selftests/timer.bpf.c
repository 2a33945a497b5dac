// SPDX-License-Identifier: GPL-2.0-only
/*
 * "From any context: softirq": a timer callback prints to the streams of the program that started the
 * timer, even after that program has returned.
 */
#include "selftest.h"

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
	bpf_stream_printk(BPF_STDOUT, "timer callback to stdout, in %s context\n", context());
	bpf_stream_printk(BPF_STDERR, "timer callback to stderr, in %s context\n", context());
	return 0;
}

SEC("syscall") __requires(bpf_timer)
__wait_stdout(45)
__wait_stderr(45)
int timer(void *ctx)
{
	struct element *element;
	__u32 key = 0;
	int err;

	element = bpf_map_lookup_elem(&timers, &key);
	if (!element)
		return -1;
	err = bpf_timer_init(&element->timer, &timers, 1 /* CLOCK_MONOTONIC */);
	if (!err)
		err = bpf_timer_set_callback(&element->timer, expired);
	if (!err)
		err = bpf_timer_start(&element->timer, 0, 0);
	return err;
}
