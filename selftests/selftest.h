/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftest programs share: the attributes by which a test says how it wants to be run,
 * and the interface of the streams as a program sees it.
 *
 * Every program of an object is a test of its own, called <file>__<program>. It is loaded alone,
 * run once in the way that its type asks for, and then both of its streams are read. What a test
 * needs beyond that stands beside it, as an attribute, and nowhere else. The guest agent reads the
 * attributes from the object's BTF (decl tags).
 *
 * A program prints what it tests to one stream and what the calls returned to the other, by name,
 * so that a snapshot can be read without this folder beside it.
 */
#ifndef __SELFTEST_H
#define __SELFTEST_H

/*
 * What vmlinux.h has of kfuncs depends on the pahole that made the kernel's types, and what it has of
 * elements on the kernel: mainline's are others. So both are declared below, and a program that needs
 * what its kernel lacks still compiles, and is refused.
 */
#define BPF_NO_KFUNC_PROTOTYPES
#define bpf_stream_elem bpf_stream_elem___of_vmlinux
#define bpf_mem_slice bpf_mem_slice___of_vmlinux
#include "vmlinux.h"
#undef bpf_stream_elem
#undef bpf_mem_slice

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

#define __streams(key, value) __attribute__((btf_decl_tag("streams:" key "=" value)))

/* not a test: loaded only with a test that names it by __load_with() */
#define __auxiliary __streams("auxiliary", "1")
/* load this program of the same object too, and attach it where it can be attached */
#define __load_with(prog) __streams("load_with", #prog)
/* run n times instead of once */
#define __repeat(n) __streams("repeat", #n)
/* what makes an attached program run; the names stand in harness/guest/src/trigger.rs */
#define __trigger(name) __streams("trigger", #name)
/* wait, for a bounded time, until the stream has given n bytes */
#define __wait_stdout(n) __streams("wait_stdout", #n)
#define __wait_stderr(n) __streams("wait_stderr", #n)
/* more than load, run, read: harness/guest/src/scenario/<name>.rs */
#define __scenario(name) __streams("scenario", #name)
/* run only where this is, several times for several; the names: harness/guest/src/feature.rs */
#define __requires(feature) __streams("requires", #feature)
/*
 * mainline does otherwise, for this reason: there the test is run and its text shown beside ours
 * (make compare), but it is not held against the snapshot. Once mainline does the same, this is an
 * error.
 */
#define __not_in_mainline(reason) __streams("not_in_mainline", reason)
/* the same on one architecture only: x86_64 or arm64 */
#define __not_in_mainline_on(arch, reason) __streams("not_in_mainline_on_" #arch, reason)
/* the same, and there it is not even run: it would make mainline warn or die, or keep it busy for minutes */
#define __not_run_in_mainline(reason) __not_in_mainline(reason) __requires(series)

/*
 * Every program is loaded a second time with BPF_F_TEST_STATE_FREQ, which makes the verifier store and
 * compare its states wherever it can; the second load is not run. It must end as the first one: accepted,
 * or rejected with the same errno and the same last message. Where it does not, the reason is here. Once
 * both end the same, this is an error.
 */
#define __state_freq_differs(reason) __streams("state_freq_differs", reason)

/*
 * What libbpf's bpf_stream_printk() calls, and the five-parameter form, as programs that were built for
 * 6.18 and 6.19 call it.
 */
extern int bpf_stream_vprintk(int stream_id, const char *fmt__str, const void *args, __u32 len__sz)
	__weak __ksym;
extern int bpf_stream_vprintk_impl(int stream_id, const char *fmt__str, const void *args,
				   __u32 len__sz, void *aux__prog) __weak __ksym;

extern int bpf_stream_print_stack(int stream_id) __weak __ksym;

/* The locks that fail where waiting could not end, and interrupts; held only where 0 is returned. */
extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __weak __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __weak __ksym;
extern int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock, unsigned long *flags) __weak
	__ksym;
extern void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock, unsigned long *flags)
	__weak __ksym;
extern void bpf_local_irq_save(unsigned long *flags) __weak __ksym;
extern void bpf_local_irq_restore(unsigned long *flags) __weak __ksym;

/* Reading streams in a program; an element is what is taken out of one at a time. */
struct bpf_mem_slice {
	void *ptr;
	__u32 len;
} __attribute__((preserve_access_index));
struct bpf_stream_elem {
	struct bpf_mem_slice mem_slice;
} __attribute__((preserve_access_index));
extern struct bpf_stream *bpf_stream_get(int stream_id) __weak __ksym;
extern struct bpf_stream *bpf_prog_stream_get(int stream_id, __u32 prog_id) __weak __ksym;
extern void bpf_prog_stream_put(struct bpf_stream *stream) __weak __ksym;
extern struct bpf_stream_elem *bpf_stream_next_elem(struct bpf_stream *stream) __weak __ksym;
extern void bpf_stream_free_elem(struct bpf_stream_elem *elem) __weak __ksym;
extern int bpf_dynptr_from_mem_slice(struct bpf_mem_slice *mem_slice, __u64 flags,
				     struct bpf_dynptr *dptr__uninit) __weak __ksym;

/*
 * Calls a static function that is __attribute__((naked)) with one argument. Such a function says that
 * it has none: clang forgets the name of a parameter that only asm uses, and a parameter without a
 * name makes the kernel refuse all of an object's BTF.
 */
#define call_naked(function, argument)                                        \
	({                                                                    \
		__u64 __result;                                               \
									      \
		asm volatile("r1 = %[it];"                                    \
			     "call " #function ";"                            \
			     "%[result] = r0;"                                \
			     : [result] "=r"(__result)                        \
			     : [it] "r"(argument)                             \
			     : "r0", "r1", "r2", "r3", "r4", "r5", "memory"); \
		__result;                                                     \
	})

/* One line to each stream, which says where it comes from and where it belongs. */
#define print_to_both(from)                                       \
	({                                                        \
		bpf_stream_printk(BPF_STDOUT, from " to stdout\n"); \
		bpf_stream_printk(BPF_STDERR, from " to stderr\n"); \
	})

/* Long texts, in lines of 100 bytes. */
#define TEXT_100                                                 \
	"one hundred bytes in a line, so that the lines sho" \
	"w where a text was cut, if it was cut at all ....\n"
#define TEXT_500 TEXT_100 TEXT_100 TEXT_100 TEXT_100 TEXT_100
#define TEXT_1000 TEXT_500 TEXT_500

_Static_assert(sizeof(TEXT_1000) == 1000 + 1, "the text is as long as its name says");

/* The errnos that a print can return, by their names: an array, as BPF has no jump tables. */
static const char errno_names[][8] = {
	[2] = "-ENOENT",  [7] = "-E2BIG",   [12] = "-ENOMEM", [14] = "-EFAULT",
	[16] = "-EBUSY",  [22] = "-EINVAL", [28] = "-ENOSPC", [35] = "-EDEADLK",
};

/*
 * Ends a loop that has gone on for too long, by a jump to the label: the instruction may_goto,
 * whose name the assembler does not know for the CPU that the selftests are compiled for.
 */
#define may_goto(label)                                                              \
	asm volatile goto("1: .byte 0xe5; .byte 0;"                                  \
			  ".long ((%l[" #label "] - 1b - 8) / 8) & 0xffff; .short 0" \
			  : : : : label)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What a print returned, as a text for %s. In 64 bits, where 6.12's verifier sees the bounds. */
static __always_inline const char *result(int ret)
{
	__u64 nr = -(__s64)ret;

	if (ret >= 0)
		return "ok";
	if (nr >= ARRAY_SIZE(errno_names) || !errno_names[nr][0])
		return "an errno that no print may return";
	return errno_names[nr];
}

#if defined(__TARGET_ARCH_x86)
/*
 * 6.12 keeps it among a CPU's hottest variables, later kernels by itself: one of the two is there. Its
 * highest bit is not of the count, a clock's interrupt can change it: whether to schedule.
 */
struct pcpu_hot___before_6_15 {
	int preempt_count;
} __attribute__((preserve_access_index));

extern const struct pcpu_hot___before_6_15 pcpu_hot __weak __ksym;
extern const int __preempt_count __weak __ksym;

static __always_inline __u32 preempt_count(void)
{
	const struct pcpu_hot___before_6_15 *hot;

	if (&__preempt_count)
		return *(const int *)bpf_this_cpu_ptr(&__preempt_count) & 0x7fffffff;
	/* the verifier goes on here also where it is there */
	if (!&pcpu_hot)
		return ~0;
	hot = bpf_this_cpu_ptr(&pcpu_hot);
	return hot->preempt_count & 0x7fffffff;
}
#elif defined(__TARGET_ARCH_arm64)
static __always_inline __u32 preempt_count(void)
{
	return bpf_get_current_task_btf()->thread_info.preempt.count;
}
#endif

/*
 * Wait, for half a minute at most, until another CPU, or what interrupts this one, makes it true. No
 * call in it is forbidden under a lock. (A bpf_for() goes round 1 << 23 times at most.)
 */
#define wait_until(condition)                                                      \
	({                                                                         \
		int __i, __j;                                                      \
										   \
		bpf_for(__i, 0, 1000) {                                            \
			if (condition)                                             \
				break;                                             \
			bpf_for(__j, 0, 1 << 20)                                   \
				if (condition)                                     \
					break;                                     \
		}                                                                  \
	})

/*
 * A kernel that has it also counts how often interrupts are off, between softirqs and hardirqs. With its
 * type, so that it is looked for in BTF: one without is looked for in kallsyms, a quarter of a second.
 */
extern const unsigned long local_interrupt_disable_state __weak __ksym;

static __always_inline int bits_between(void)
{
	return &local_interrupt_disable_state ? 8 : 0;
}

static __always_inline bool is_in_hardirq(void)
{
	return preempt_count() & 0x0f0000 << bits_between();
}

/* What the CPU was doing when the program ran (the fields of the kernel's linux/preempt.h). */
static __always_inline const char *context(void)
{
	__u32 count = preempt_count();

	if (count & 0xf00000 << bits_between())
		return "NMI";
	if (count & 0x0f0000 << bits_between())
		return "hardirq";
	if (count & 0x00ff00)
		return "softirq";
	return "process";
}

#endif
