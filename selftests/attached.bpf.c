// SPDX-License-Identifier: GPL-2.0-only
/*
 * "kfuncs for programs: all program types": every type that is attached to run prints to both of its
 * streams. The agent attaches the program, calls getpgid() with its own PID once, and detaches it; the
 * programs ignore all other processes.
 */
#include "selftest.h"

/* The agent's process; the agent sets it before the object is loaded. */
const volatile __u32 target_tgid;

static bool seen;

static __always_inline bool from_agent(void)
{
	return bpf_get_current_pid_tgid() >> 32 == target_tgid;
}

/* For events that the agent causes more than once: only the first is printed. */
static __always_inline bool first_from_agent(void)
{
	if (seen || !from_agent())
		return false;
	seen = true;
	return true;
}

SEC("tp/syscalls/sys_enter_getpgid")
int tracepoint(void *ctx)
{
	if (from_agent())
		print_to_both("tracepoint");
	return 0;
}

SEC("raw_tp/sys_enter")
__trigger(getpgid)
int raw_tracepoint(struct bpf_raw_tracepoint_args *ctx)
{
	if (first_from_agent())
		print_to_both("raw tracepoint");
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(btf_tracepoint, struct pt_regs *regs, long id)
{
	if (first_from_agent())
		print_to_both("BTF tracepoint");
	return 0;
}

SEC("kprobe/security_task_getpgid")
int kprobe(struct pt_regs *ctx)
{
	if (from_agent())
		print_to_both("kprobe");
	return 0;
}

SEC("kretprobe/security_task_getpgid")
int kretprobe(struct pt_regs *ctx)
{
	if (from_agent())
		print_to_both("kretprobe");
	return 0;
}

SEC("fentry/security_task_getpgid")
int BPF_PROG(fentry, struct task_struct *task)
{
	if (from_agent())
		print_to_both("fentry");
	return 0;
}

SEC("fexit/security_task_getpgid")
int BPF_PROG(fexit, struct task_struct *task, int ret)
{
	if (from_agent())
		print_to_both("fexit");
	return 0;
}

SEC("fmod_ret/security_task_getpgid")
int BPF_PROG(fmod_ret, struct task_struct *task, int ret)
{
	if (from_agent())
		print_to_both("fmod_ret");
	return ret;
}

SEC("lsm/task_getpgid")
int BPF_PROG(lsm, struct task_struct *task, int ret)
{
	if (from_agent())
		print_to_both("LSM");
	return ret;
}

/* The agent is statically linked, so the C library's function is in the agent. */
SEC("uprobe//proc/self/exe:getpgid")
int uprobe(struct pt_regs *ctx)
{
	if (from_agent())
		print_to_both("uprobe");
	return 0;
}

/* May sleep, like syscall programs; no other attached program may. */
SEC("uprobe.s//proc/self/exe:getpgid")
int sleepable_uprobe(struct pt_regs *ctx)
{
	if (from_agent())
		print_to_both("sleepable uprobe");
	return 0;
}

/* The agent reads the iterator to its end: it runs once per task, and once more at the end. */
SEC("iter/task")
int iterator(struct bpf_iter__task *ctx)
{
	if (ctx->meta->seq_num == 0)
		print_to_both("iterator");
	return 0;
}
