// SPDX-License-Identifier: GPL-2.0-only
/*
 * "From any context: process, softirq, hardirq, NMI, under bpf_spin_lock, with preemption or IRQs off": a
 * print from each, which names its context. The programs determine the context themselves, so a test cannot
 * pass in a wrong one. (For softirq see timer.bpf.c.)
 */
#include "selftest.h"

/* The agent's process; the agent sets it before the object is loaded. */
const volatile __u32 target_tgid;

extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;
extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;

SEC("syscall")
int process(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "stdout, in %s context\n", context());
	bpf_stream_printk(BPF_STDERR, "stderr, in %s context\n", context());
	return 0;
}

SEC("syscall")
int preemption_off(void *ctx)
{
	bpf_preempt_disable();
	bpf_stream_printk(BPF_STDOUT, "stdout, preempt count %d\n", preempt_count() & 0xff);
	bpf_stream_printk(BPF_STDERR, "stderr, preempt count %d\n", preempt_count() & 0xff);
	bpf_preempt_enable();
	return 0;
}

/* Syscall programs may sleep, but not in an RCU read-side section. */
SEC("syscall")
int rcu_read_section(void *ctx)
{
	bpf_rcu_read_lock();
	print_to_both("RCU read section");
	bpf_rcu_read_unlock();
	return 0;
}

static struct bpf_spin_lock lock SEC(".data.lock");

/* IRQs are off while the lock is held, and only safe calls are allowed. */
SEC("tc")
int spin_lock(struct __sk_buff *skb)
{
	int err;

	bpf_spin_lock(&lock);
	err = bpf_stream_printk(BPF_STDOUT, "stdout under the lock\n");
	bpf_stream_printk(BPF_STDERR, "stderr under the lock, %d argument\n", 1);
	bpf_spin_unlock(&lock);
	return err;
}

SEC("tc") __not_in_mainline("it has the form with four parameters only")
int spin_lock_five_parameters(struct __sk_buff *skb)
{
	static const char text[] = "under the lock\n";
	int err;

	bpf_spin_lock(&lock);
	err = bpf_stream_vprintk_impl(BPF_STDOUT, text, NULL, 0, NULL);
	bpf_spin_unlock(&lock);
	return err;
}

static __u32 seen;

/* In the timer interrupt with IRQs off, whatever it interrupted. */
SEC("tp_btf/hrtimer_expire_entry")
__wait_stdout(27)
__wait_stderr(27)
int BPF_PROG(hardirq, struct hrtimer *timer, ktime_t *now)
{
	if (!is_in_hardirq() || __sync_lock_test_and_set(&seen, 1))
		return 0;
	bpf_stream_printk(BPF_STDOUT, "stdout, in %s context\n", context());
	bpf_stream_printk(BPF_STDERR, "stderr, in %s context\n", context());
	return 0;
}

/*
 * The scenario attaches the program and makes the host inject NMIs until the program has printed. QEMU can
 * inject them for x86-64 only, and the tracepoint exists only there.
 */
SEC("tp_btf/nmi_handler")
__requires(injected_nmi)
__scenario(nmi)
int BPF_PROG(nmi, void *handler, s64 delta_ns, int handled)
{
	if (seen)
		return 0;
	seen = 1;
	bpf_stream_printk(BPF_STDOUT, "stdout, in %s context\n", context());
	bpf_stream_printk(BPF_STDERR, "stderr, in %s context\n", context());
	return 0;
}

/*
 * The scenario counts CPU cycles until the program has run on an overflow of the counter, which is an NMI
 * on arm64 (a pseudo-NMI of the interrupt controller) and on x86-64, where software emulation lacks the
 * counter.
 */
SEC("perf_event")
__requires(cycle_counter)
__scenario(cycle_counter)
int cycle_counter(struct bpf_perf_event_data *ctx)
{
	if (seen)
		return 0;
	seen = 1;
	bpf_stream_printk(BPF_STDOUT, "stdout, in %s context\n", context());
	bpf_stream_printk(BPF_STDERR, "stderr, in %s context\n", context());
	return 0;
}
