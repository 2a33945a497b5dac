// SPDX-License-Identifier: GPL-2.0-only
/*
 * struct bpf_cpumask consists of integers only, so any memory of its size is accepted as a pointer argument
 * of that type, unless the kfunc acquires or releases the object.
 */
#include "selftest.h"

extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern struct bpf_cpumask *bpf_cpumask_acquire(struct bpf_cpumask *cpumask) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *cpumask) __ksym;
extern void bpf_cpumask_set_cpu(__u32 cpu, struct bpf_cpumask *cpumask) __ksym;
extern bool bpf_cpumask_test_cpu(__u32 cpu, const struct cpumask *cpumask) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ringbuf SEC(".maps");

/* Must be rejected: the kernel would free memory on the stack. */
SEC("syscall") __not_run_in_mainline("it accepts any memory as an object to acquire or release, and the reference count warns")
int stack_acquired(void *ctx)
{
	struct bpf_cpumask on_stack = {};
	struct bpf_cpumask *acquired = bpf_cpumask_acquire(&on_stack);

	bpf_cpumask_release(acquired);
	return 0;
}

/* Must be rejected: it releases the reference of the record, but not the record. */
SEC("syscall") __not_run_in_mainline("it accepts any memory as an object to acquire or release, and the reference count warns")
int record_released(void *ctx)
{
	struct bpf_cpumask *record = bpf_ringbuf_reserve(&ringbuf, sizeof(*record), 0);

	if (record)
		bpf_cpumask_release(record);
	return 0;
}

SEC("syscall")
int object_acquired_and_released(void *ctx)
{
	struct bpf_cpumask *created = bpf_cpumask_create(), *acquired;

	if (!created)
		return 1;
	acquired = bpf_cpumask_acquire(created);
	bpf_cpumask_release(created);
	bpf_cpumask_set_cpu(1, acquired);
	bpf_stream_printk(BPF_STDOUT, "CPU 1 is in the mask: %d\n",
			  bpf_cpumask_test_cpu(1, (const struct cpumask *)acquired));
	bpf_cpumask_release(acquired);
	return 0;
}
