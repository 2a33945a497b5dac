// SPDX-License-Identifier: GPL-2.0-only
/*
 * "From any context: process": a workqueue callback, run by a kernel thread, prints to the streams of the
 * program that started it. The kfunc that sets the callback is also the only one that got the calling
 * program as an argument before streams existed: this tests that it still does.
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
