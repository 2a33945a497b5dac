// SPDX-License-Identifier: GPL-2.0-only
/*
 * "poll()/epoll on the prog fd: EPOLLIN = stdout has text, EPOLLPRI = stderr has text": never
 * EPOLLHUP, as the fd holds the program; no wake-up is lost, whatever the order of print and poll and
 * whatever the context, and who prints does not pay for those who wait.
 */
#include "selftest.h"

/* The agent's process; it sets this before the object is loaded. */
const volatile __u32 target_tgid;

/* How many lines the scenario wants (guest/src/scenario/poll.rs). */
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

/* What poll and epoll say at once, as text comes and goes. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_states)
int states(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Never ready, and no error: a program that can have nothing to say. */
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

/* The print comes first, and then who waits for it. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_after_print)
int late(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Again and again, one prints while another is about to wait. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__requires(two_cpus)
__scenario(poll_wake_ups)
int wake_ups(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* A thousand wait, ten thousand prints: each who waits is woken, and the prints are as fast. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_many_waiters)
int crowd(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* The program is freed with its wake-up under way. */
SEC("syscall") __not_in_mainline("nobody can wait for text by poll or epoll")
__scenario(poll_prog_free)
int freed(struct wanted *wanted)
{
	return print_wanted(wanted);
}

static __u32 seen;

/* A print in an NMI wakes a task that sleeps. */
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
 * A CPU prints on its way out, when it dies for RCU: after it ran its irq_works for the last time,
 * so that what it queued would not be run before it is back. (Tracepoints leave such CPUs out.)
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

/* The same on its way in, before it is online. */
SEC("fentry/sched_cpu_starting") __not_in_mainline("nobody can wait for text by poll or epoll")
__requires(cpu_hotplug)
__scenario(cpu_online)
int BPF_PROG(starting_cpu, unsigned int cpu)
{
	bpf_stream_printk(BPF_STDOUT, "said by the CPU that comes: %s\n",
			  cpu == bpf_get_smp_processor_id() ? "yes" : "no");
	return 0;
}
