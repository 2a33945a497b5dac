// SPDX-License-Identifier: GPL-2.0-only
/*
 * "From any context: process": the callback of a work queue, a task of the kernel, prints into the
 * streams of the program that started it. What sets the callback is also the one kfunc that was given
 * the calling program before streams came: this holds that it still is.
 */
#include "workqueue.h"

struct element {
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct element);
} works SEC(".maps");

static int work(void *map, int *key, void *value)
{
	bpf_stream_printk(BPF_STDOUT, "work queue to stdout, in %s context\n", context());
	bpf_stream_printk(BPF_STDERR, "work queue to stderr, in %s context\n", context());
	return 0;
}

SEC("syscall")
__wait_stdout(41)
__wait_stderr(41)
int workqueue(void *ctx)
{
	struct element *element;
	int err, key = 0;

	element = bpf_map_lookup_elem(&works, &key);
	if (!element)
		return -1;
	err = bpf_wq_init(&element->work, &works, 0);
	if (!err)
		err = bpf_wq_set_callback(&element->work, work, 0);
	if (!err)
		err = bpf_wq_start(&element->work, 0);
	return err;
}
