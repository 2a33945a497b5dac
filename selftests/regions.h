/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers for regions with interrupts off or a lock held. */
#ifndef __REGIONS_H
#define __REGIONS_H

#include "selftest.h"

extern void bpf_throw(u64 cookie) __weak __ksym;
extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_res_spin_lock lock_a;
private(B) struct bpf_res_spin_lock lock_b;

#endif
