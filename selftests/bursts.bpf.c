// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints in bulk, where memory must be allocated without sleeping: 2,000 prints of 54 bytes in a row, and
 * 64 KiB with IRQs off, none of them refused. Every line carries its number; the scenario counts them and
 * checks their order.
 */
#include "selftest.h"

/* 54 bytes with the newline. */
#define LINE "%07d one of two thousand prints of one short line.\n"

_Static_assert(sizeof(LINE) - 1 - sizeof("%07d") + sizeof("1234567") == 54, "see the contract");

static __noinline int burst(int lines)
{
	int i, err;

	bpf_for(i, 0, lines) {
		err = bpf_stream_printk(BPF_STDOUT, LINE, i);
		if (err) {
			bpf_stream_printk(BPF_STDERR, "print %d: %s\n", i, result(err));
			return err;
		}
	}
	return 0;
}

SEC("syscall") __not_in_mainline("a stream holds 100,000 bytes and no sysctl changes that")
__scenario(line_count)
int two_thousand_prints(void *ctx)
{
	return burst(2000);
}

static struct bpf_spin_lock lock SEC(".data.lock");

/* 1,214 lines of 54 bytes are 65,556 bytes. Iterators are forbidden under the lock, so a plain loop. */
SEC("tc")
__scenario(line_count)
int under_spin_lock(struct __sk_buff *skb)
{
	int i, err = 0, refused = 0;

	bpf_spin_lock(&lock);
	for (i = 0; i < 1214; i++) {
		err = bpf_stream_printk(BPF_STDOUT, LINE, i);
		if (err)
			refused++;
	}
	bpf_spin_unlock(&lock);
	return refused;
}

static __u32 seen;

/* In the timer interrupt; it prints to stderr at its end, which the agent waits for. */
SEC("tp_btf/hrtimer_expire_entry")
__scenario(line_count)
__wait_stderr(34)
int BPF_PROG(in_hardirq, struct hrtimer *timer, ktime_t *now)
{
	int err;

	if (!is_in_hardirq() || __sync_lock_test_and_set(&seen, 1))
		return 0;
	err = burst(1214);
	bpf_stream_printk(BPF_STDERR, "1214 lines in %s context: %s\n", context(), result(err));
	return 0;
}
