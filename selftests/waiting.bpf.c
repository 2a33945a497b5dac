// SPDX-License-Identifier: GPL-2.0-only
/*
 * "poll()/epoll on the prog fd: EPOLLIN = stdout has text, EPOLLPRI = stderr has text": never EPOLLHUP, as
 * the fd keeps the program; no wake-up is lost, in any order of print and poll and in any context, and
 * waiters do not slow down prints.
 */
#include "selftest.h"

/* The agent's process; the agent sets it before the object is loaded. */
const volatile __u32 target_tgid;

/* Number of lines to print, set by the scenario (guest/src/scenario/poll.rs). */
struct wanted {
	__u32 stdout_lines;
	__u32 stderr_lines;
};

static __always_inline int print_wanted(struct wanted *wanted)
{
	int err = 0;
	__u32 i;

	bpf_for(i, 0, wanted->stdout_lines)
		err = err ?: bpf_stream_printk(BPF_STDOUT, "text\n");
	bpf_for(i, 0, wanted->stderr_lines)
		err = err ?: bpf_stream_printk(BPF_STDERR, "TEXT\n");
	return err;
}

/* The events that poll and epoll return as text is printed and read. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_states)
int states(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* A program that cannot print is never ready, which is not an error. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_states)
int without_streams(struct wanted *wanted)
{
	return wanted->stdout_lines > 1;
}

SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_edge)
int edge_triggered(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Waiting begins after the print. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_after_print)
int late(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Repeatedly, one thread prints while another is about to wait. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__requires(two_cpus)
__scenario(poll_wake_ups)
int wake_ups(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* 1000 waiters and 10000 prints: each waiter is woken, and the prints do not slow down. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_many_waiters)
int crowd(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* The program is freed while its wake-up is pending. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_prog_free)
int freed(struct wanted *wanted)
{
	return print_wanted(wanted);
}

static __u32 seen;

/* A print in an NMI wakes a sleeping task. */
SEC("tp_btf/nmi_handler") __not_in_mainline("nobody can wait for text by poll or epoll")
__requires(injected_nmi)
__scenario(poll_nmi)
int BPF_PROG(nmi, void *handler, s64 delta_ns, int handled)
{
	if (__sync_lock_test_and_set(&seen, 1))
		return 0;
	bpf_stream_printk(BPF_STDOUT, "stdout, in %s context\n", context());
	return 0;
}

/*
 * A CPU prints while it goes offline, after it has run its irq_works for the last time, so that queued work
 * would not run until it is back. (Tracepoints are disabled on such CPUs.)
 */
SEC("fentry/rcutree_dying_cpu") __not_in_mainline("nobody can wait for text by poll or epoll")
__requires(cpu_hotplug)
__scenario(cpu_offline)
int BPF_PROG(dying_cpu, unsigned int cpu)
{
	bpf_stream_printk(BPF_STDOUT, "said by the CPU that goes: %s\n",
			  cpu == bpf_get_smp_processor_id() ? "yes" : "no");
	return 0;
}

/* As above while it comes online. */
SEC("fentry/sched_cpu_starting") __not_in_mainline("nobody can wait for text by poll or epoll")
__requires(cpu_hotplug)
__scenario(cpu_online)
int BPF_PROG(starting_cpu, unsigned int cpu)
{
	bpf_stream_printk(BPF_STDOUT, "said by the CPU that comes: %s\n",
			  cpu == bpf_get_smp_processor_id() ? "yes" : "no");
	return 0;
}
