// SPDX-License-Identifier: GPL-2.0-only
/*
 * "poll(): EPOLLIN|EPOLLRDNORM while the stream has text; EPOLLHUP once the program is freed, together with
 * EPOLLIN as long as text is left. Going from empty to readable raises an edge, from NMI too; an empty print
 * raises none": no wake-up is lost, in any order of print and poll and in any context, and waiters do not
 * slow down prints. Descriptors as such are tested by descriptors.bpf.c.
 */
#include "wanted.h"

/* The agent's process; the agent sets it before the object is loaded. */
const volatile __u32 target_tgid;

/* The events that poll and epoll return as text is printed and read, and when the program is freed. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(waiting_states)
int states(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* A program that cannot print is never readable, and hangs up when it is freed. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(waiting_hang_up)
int without_streams(struct wanted *wanted)
{
	return wanted->stdout_lines > 1;
}

/* As above for a program that could print. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(waiting_hang_up)
int hang_up(struct wanted *wanted)
{
	return print_wanted(wanted);
}

SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(waiting_edge)
int edge_triggered(struct wanted *wanted)
{
	return print_wanted(wanted);
}

SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(waiting_empty_print)
int empty_print(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* The loop of edge-triggered readers, while two threads print. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__requires(two_cpus)
__scenario(waiting_drain_loop)
int drain_loop(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Waiting begins after the print. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(waiting_after_print)
int late(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* An epoll in an epoll. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(waiting_nested)
int nested(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* The program's own descriptor is not a reader's: poll() is as for any file without it. */
SEC("syscall")
__scenario(waiting_prog_fd)
int program_fd(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* Repeatedly, one thread prints while another is about to wait: in an edge-triggered epoll... */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__requires(two_cpus)
__scenario(waiting_wake_ups)
int wake_ups(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* ...in poll... */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__requires(two_cpus)
__scenario(waiting_wake_ups_poll)
int wake_ups_poll(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* ...and in a read. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__requires(two_cpus)
__scenario(waiting_wake_ups_read)
int wake_ups_read(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* 1000 waiters and 10000 prints: each waiter is woken, and the prints do not slow down. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(waiting_many_waiters)
int crowd(struct wanted *wanted)
{
	return print_wanted(wanted);
}

/* The program is freed while its wake-up is pending. */
SEC("syscall") __not_in_mainline("it has no stream descriptors")
__scenario(waiting_prog_free)
int freed(struct wanted *wanted)
{
	return print_wanted(wanted);
}

static __u32 seen;

/* Prints in an NMI wake tasks that sleep in epoll and in a read. */
SEC("tp_btf/nmi_handler") __not_in_mainline("it has no stream descriptors")
__requires(injected_nmi)
__scenario(waiting_nmi)
int BPF_PROG(nmi, void *handler, s64 delta_ns, int handled)
{
	if (__sync_lock_test_and_set(&seen, 1))
		return 0;
	bpf_stream_printk(BPF_STDOUT, "stdout, in %s context\n", context());
	bpf_stream_printk(BPF_STDERR, "stderr, in %s context\n", context());
	return 0;
}

/*
 * A CPU prints while it goes offline, after it has run its irq_works for the last time, so that queued work
 * would not run until it is back. (Tracepoints are disabled on such CPUs.)
 */
SEC("fentry/rcutree_dying_cpu") __not_in_mainline("it has no stream descriptors")
__requires(cpu_hotplug)
__scenario(cpu_offline)
int BPF_PROG(dying_cpu, unsigned int cpu)
{
	bpf_stream_printk(BPF_STDOUT, "said by the CPU that goes: %s\n",
			  cpu == bpf_get_smp_processor_id() ? "yes" : "no");
	return 0;
}

/* As above while it comes online. */
SEC("fentry/sched_cpu_starting") __not_in_mainline("it has no stream descriptors")
__requires(cpu_hotplug)
__scenario(cpu_online)
int BPF_PROG(starting_cpu, unsigned int cpu)
{
	bpf_stream_printk(BPF_STDOUT, "said by the CPU that comes: %s\n",
			  cpu == bpf_get_smp_processor_id() ? "yes" : "no");
	return 0;
}
