// SPDX-License-Identifier: GPL-2.0-only
/*
 * "int bpf_stream_print_stack(int stream_id): the stack dump of section 3, on demand", to either of the
 * program's streams.
 */
#include "selftest.h"

SEC("syscall")
int main_program(void *ctx)
{
	return bpf_stream_print_stack(BPF_STDERR);
}

SEC("syscall")
int to_stdout(void *ctx)
{
	return bpf_stream_print_stack(BPF_STDOUT);
}

static __noinline int inner(void)
{
	return bpf_stream_print_stack(BPF_STDERR);
}

static __noinline int outer(void)
{
	int err = inner();

	return err ? err : inner();
}

SEC("syscall")
int subprograms(void *ctx)
{
	return outer();
}

static int each_turn(__u32 index, void *unused)
{
	bpf_stream_print_stack(BPF_STDERR);
	return 0;
}

SEC("syscall")
int callback(void *ctx)
{
	return bpf_loop(2, each_turn, NULL, 0);
}

SEC("syscall")
int bad_id(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "0: %s\n", result(bpf_stream_print_stack(0)));
	bpf_stream_printk(BPF_STDOUT, "3: %s\n", result(bpf_stream_print_stack(3)));
	bpf_stream_printk(BPF_STDOUT, "-1: %s\n", result(bpf_stream_print_stack(-1)));
	return 0;
}

/* Dumps and texts are in the order in which they were printed. */
SEC("syscall")
int between_texts(void *ctx)
{
	bpf_stream_printk(BPF_STDERR, "before\n");
	bpf_stream_print_stack(BPF_STDERR);
	bpf_stream_printk(BPF_STDERR, "between\n");
	bpf_stream_print_stack(BPF_STDERR);
	bpf_stream_printk(BPF_STDERR, "after\n");
	return 0;
}

static struct bpf_spin_lock lock SEC(".data.lock");

SEC("tc")
int under_spin_lock(struct __sk_buff *skb)
{
	int err;

	bpf_spin_lock(&lock);
	err = bpf_stream_print_stack(BPF_STDERR);
	bpf_spin_unlock(&lock);
	return err;
}

static __u32 seen;

/*
 * The process that the interrupt hits is unknown, so the scenarios only count the dumps by
 * kind.
 */
SEC("tp_btf/hrtimer_expire_entry")
__scenario(reports)
__wait_stdout(11)
int BPF_PROG(hardirq, struct hrtimer *timer, ktime_t *now)
{
	if (!is_in_hardirq() || __sync_lock_test_and_set(&seen, 1))
		return 0;
	bpf_stream_print_stack(BPF_STDERR);
	bpf_stream_printk(BPF_STDOUT, "in %s\n", context());
	return 0;
}

SEC("tp_btf/nmi_handler")
__requires(injected_nmi)
__scenario(nmi_reports)
int BPF_PROG(nmi, void *handler, s64 delta_ns, int handled)
{
	if (seen)
		return 0;
	seen = 1;
	bpf_stream_print_stack(BPF_STDERR);
	bpf_stream_printk(BPF_STDOUT, "in %s\n", context());
	return 0;
}

/* No part of a dump that does not fit is printed. */
SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(limit_4096)
int full(void *ctx)
{
	static const char text[] = TEXT_1000 "and twenty-three bytes\n";
	int i, err;

	bpf_for(i, 0, 4)
		bpf_stream_vprintk(BPF_STDERR, text, NULL, 0);
	err = bpf_stream_print_stack(BPF_STDERR);
	bpf_stream_printk(BPF_STDOUT, "4 bytes are free: %s\n", result(err));
	err = bpf_stream_printk(BPF_STDERR, "end\n");
	bpf_stream_printk(BPF_STDOUT, "4 bytes are still free: %s\n", result(err));
	return 0;
}

/* The dump contains the name of the task, which may contain any bytes, but must not forge a line. */
SEC("syscall") __not_in_mainline("a line feed in a task's name is printed as it is")
__scenario(forged_comm)
int forged_line_in_comm(void *ctx)
{
	return bpf_stream_print_stack(BPF_STDERR);
}
