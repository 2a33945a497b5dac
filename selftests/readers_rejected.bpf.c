// SPDX-License-Identifier: GPL-2.0-only
/*
 * "An element is acquired and must be released; a dynptr or slice of it is dead after the release
 * (the verifier says so)": none of these programs may load.
 */
#include "selftest.h"

extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer__opt,
			      __u32 buffer__szk) __ksym;

/* Takes the next element of the program's own stdout, or returns. */
#define next_elem()                                                           \
	({                                                                    \
		struct bpf_stream *__stream = bpf_stream_get(BPF_STDOUT);     \
		struct bpf_stream_elem *__elem;                               \
									      \
		if (!__stream)                                                \
			return 0;                                             \
		__elem = bpf_stream_next_elem(__stream);                      \
		if (!__elem)                                                  \
			return 0;                                             \
		__elem;                                                       \
	})

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int element_not_freed(void *ctx)
{
	return next_elem()->mem_slice.len;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int element_freed_twice(void *ctx)
{
	struct bpf_stream_elem *elem = next_elem();

	bpf_stream_free_elem(elem);
	bpf_stream_free_elem(elem);
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int element_may_be_null(void *ctx)
{
	struct bpf_stream *stream = bpf_stream_get(BPF_STDOUT);

	if (stream)
		bpf_stream_free_elem(bpf_stream_next_elem(stream));
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int element_read_after_free(void *ctx)
{
	struct bpf_stream_elem *elem = next_elem();

	bpf_stream_free_elem(elem);
	return elem->mem_slice.len;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int slice_after_free(void *ctx)
{
	struct bpf_stream_elem *elem = next_elem();
	struct bpf_mem_slice *slice = &elem->mem_slice;
	struct bpf_dynptr text;

	bpf_stream_free_elem(elem);
	return bpf_dynptr_from_mem_slice(slice, 0, &text);
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int dynptr_after_free(void *ctx)
{
	struct bpf_stream_elem *elem = next_elem();
	struct bpf_dynptr text;

	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	bpf_stream_free_elem(elem);
	return bpf_dynptr_size(&text);
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int clone_after_free(void *ctx)
{
	struct bpf_stream_elem *elem = next_elem();
	struct bpf_dynptr text, clone;

	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	bpf_dynptr_clone(&text, &clone);
	bpf_stream_free_elem(elem);
	return bpf_dynptr_size(&clone);
}

/* The dynptr is in the frame of the caller. */
static __noinline int free_it(struct bpf_stream_elem *elem)
{
	bpf_stream_free_elem(elem);
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int dynptr_after_free_in_subprogram(void *ctx)
{
	struct bpf_stream_elem *elem = next_elem();
	struct bpf_dynptr text;

	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	free_it(elem);
	return bpf_dynptr_size(&text);
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int memory_after_free(void *ctx)
{
	struct bpf_stream_elem *elem = next_elem();
	struct bpf_dynptr text;
	char *byte;

	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	byte = bpf_dynptr_slice(&text, 0, NULL, 1);
	bpf_stream_free_elem(elem);
	return byte ? *byte : 0;
}

/* The dynptr was overwritten after the slice was taken from it. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int memory_after_free_without_dynptr(void *ctx)
{
	struct bpf_stream_elem *elem = next_elem();
	static char other[8];
	struct bpf_dynptr text;
	char *byte;

	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	byte = bpf_dynptr_slice(&text, 0, NULL, 1);
	bpf_dynptr_from_mem(other, sizeof(other), 0, &text);
	bpf_stream_free_elem(elem);
	return byte ? *byte : 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int memory_written_to(void *ctx)
{
	struct bpf_stream_elem *elem = next_elem();
	struct bpf_dynptr text;
	char *byte;

	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	byte = bpf_dynptr_slice(&text, 0, NULL, 1);
	if (byte)
		*byte = '!';
	bpf_stream_free_elem(elem);
	return 0;
}

/* An argument of the traced function: the program did not acquire it. */
SEC("fexit/bpf_stream_free_elem") __not_in_mainline("it has no kfuncs that read streams from BPF")
int BPF_PROG(slice_of_an_argument, struct bpf_stream_elem *elem)
{
	struct bpf_dynptr text;

	bpf_dynptr_from_mem_slice(&elem->mem_slice, 0, &text);
	return bpf_dynptr_size(&text);
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int stream_may_be_null(void *ctx)
{
	struct bpf_stream_elem *elem = bpf_stream_next_elem(bpf_stream_get(BPF_STDOUT));

	if (elem)
		bpf_stream_free_elem(elem);
	return 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int stream_not_given_back(void *ctx)
{
	return bpf_prog_stream_get(BPF_STDOUT, 1) ? 1 : 0;
}

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int stream_after_put(void *ctx)
{
	struct bpf_stream *stream = bpf_prog_stream_get(BPF_STDOUT, 1);
	struct bpf_stream_elem *elem;

	if (!stream)
		return 0;
	bpf_prog_stream_put(stream);
	elem = bpf_stream_next_elem(stream);
	if (elem)
		bpf_stream_free_elem(elem);
	return 0;
}

/* The program's own stream is not acquired, and cannot be released. */
SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int own_stream_given_back(void *ctx)
{
	struct bpf_stream *stream = bpf_stream_get(BPF_STDOUT);

	if (stream)
		bpf_prog_stream_put(stream);
	return 0;
}

/* "Syscall programs only", and only where they may sleep. */
SEC("tc") __not_in_mainline("it has no kfuncs that read streams from BPF")
int another_program_in_tc(struct __sk_buff *skb)
{
	struct bpf_stream *stream = bpf_prog_stream_get(BPF_STDOUT, 1);

	if (stream)
		bpf_prog_stream_put(stream);
	return 0;
}

extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;

SEC("syscall") __not_in_mainline("it has no kfuncs that read streams from BPF")
int another_program_in_rcu_section(void *ctx)
{
	struct bpf_stream *stream;

	bpf_rcu_read_lock();
	stream = bpf_prog_stream_get(BPF_STDOUT, 1);
	bpf_rcu_read_unlock();
	if (stream)
		bpf_prog_stream_put(stream);
	return 0;
}

/* For the load, the scenario drops every capability but CAP_BPF and CAP_NET_ADMIN. */
SEC("tc") __not_in_mainline("it has no kfuncs that read streams from BPF")
__scenario(without_perfmon)
int without_perfmon(struct __sk_buff *skb)
{
	return bpf_stream_get(BPF_STDOUT) ? 1 : 0;
}
