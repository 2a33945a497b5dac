/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by all selftest programs: the attributes that describe how a test is run, and the kfuncs of the
 * streams.
 *
 * Every program of an object is a test of its own, called <file>__<program>. It is loaded alone, run once
 * in the way that its type requires, and then both of its streams are read. Attributes next to the program
 * describe everything else that a test needs; the guest agent reads them from the object's BTF (decl
 * tags).
 *
 * A program prints what it tests to one stream and the return values to the other, as errno names, so that
 * a snapshot can be read without the source.
 */
#ifndef __SELFTEST_H
#define __SELFTEST_H

/*
 * The kfuncs in vmlinux.h depend on the version of pahole, and its types of stream elements on the kernel:
 * mainline's differ. So both are declared below, and a program that uses what its kernel lacks still
 * compiles, but is rejected.
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

/* not a test: loaded only with tests that name it in __load_with() */
#define __auxiliary __streams("auxiliary", "1")
/* also load this program of the same object, and attach it if its type is attached */
#define __load_with(prog) __streams("load_with", #prog)
/* run n times instead of once */
#define __repeat(n) __streams("repeat", #n)
/* what makes an attached program run; names are in harness/guest/src/trigger.rs */
#define __trigger(name) __streams("trigger", #name)
/* wait, with a time limit, until the stream has given n bytes */
#define __wait_stdout(n) __streams("wait_stdout", #n)
#define __wait_stderr(n) __streams("wait_stderr", #n)
/* do more than load, run and read; names are in harness/guest/src/scenario.rs */
#define __scenario(name) __streams("scenario", #name)
/* skip the test unless this feature is available; names are in harness/guest/src/feature.rs */
#define __requires(feature) __streams("requires", #feature)
/* tests run in several guests at once; this one runs last, while no other guest runs, for this reason */
#define __alone(reason) __streams("alone", reason)
/*
 * The result differs in mainline, for this reason: `make compare` runs the test there and shows its text
 * next to that of the series, but does not compare it with the snapshot. It is an error if mainline's
 * result no longer differs.
 */
#define __not_in_mainline(reason) __streams("not_in_mainline", reason)
/* as above, on one architecture only: x86_64 or arm64 */
#define __not_in_mainline_on(arch, reason) __streams("not_in_mainline_on_" #arch, reason)
/* as above, but mainline must not run it: it would warn, crash, or be busy for minutes */
#define __not_run_in_mainline(reason) __not_in_mainline(reason) __requires(series)

/*
 * Every program is loaded a second time with BPF_F_TEST_STATE_FREQ, which makes the verifier store and
 * compare states wherever it can; the second load is not run. The verdicts must be equal: accepted, or
 * rejected with the same errno and last message. A test where they differ gives the reason here. It is an
 * error if they do not differ.
 */
#define __state_freq_differs(reason) __streams("state_freq_differs", reason)

/*
 * The kfunc behind libbpf's bpf_stream_printk(), and the five-parameter form that programs built for 6.18
 * and 6.19 call.
 */
extern int bpf_stream_vprintk(int stream_id, const char *fmt__str, const void *args, __u32 len__sz)
	__weak __ksym;
extern int bpf_stream_vprintk_impl(int stream_id, const char *fmt__str, const void *args,
				   __u32 len__sz, void *aux__prog) __weak __ksym;

extern int bpf_stream_print_stack(int stream_id) __weak __ksym;

/* Resilient locks, which fail on deadlocks and timeouts, and interrupts; held only after a return of 0. */
extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __weak __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __weak __ksym;
extern int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock, unsigned long *flags) __weak
	__ksym;
extern void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock, unsigned long *flags)
	__weak __ksym;
extern void bpf_local_irq_save(unsigned long *flags) __weak __ksym;
extern void bpf_local_irq_restore(unsigned long *flags) __weak __ksym;

/* Reading streams in a program, one element at a time. */
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
 * Calls a static naked function with one argument. Such a function is declared without parameters: clang
 * omits the names of parameters that only asm uses, and the kernel rejects all of an object's BTF if a
 * parameter has no name.
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

/* One line to each stream, with the printing context and the stream's name. */
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

/* Names of the errnos that a print can return: an array, as BPF has no jump tables. */
static const char errno_names[][8] = {
	[2] = "-ENOENT",  [7] = "-E2BIG",   [12] = "-ENOMEM", [14] = "-EFAULT",
	[16] = "-EBUSY",  [22] = "-EINVAL", [28] = "-ENOSPC", [35] = "-EDEADLK",
};

/*
 * May end a loop by a jump to the label. This is the instruction may_goto, whose name the assembler does
 * not support for the CPU that the selftests are compiled for.
 */
#define may_goto(label)                                                              \
	asm volatile goto("1: .byte 0xe5; .byte 0;"                                  \
			  ".long ((%l[" #label "] - 1b - 8) / 8) & 0xffff; .short 0" \
			  : : : : label)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The result of a print as a text for %s. Uses 64 bits, so that the verifier of 6.12 sees the bounds. */
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
 * 6.12 has preempt_count in pcpu_hot, later kernels have a variable of its own: one of the two exists. The
 * highest bit (need-resched) is not part of the count, and a timer interrupt can change it.
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
	/* the verifier checks this path even if the variable exists */
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
 * Waits for at most half a minute until the condition is true, by another CPU or an interrupt of this one.
 * Only uses calls that are allowed under a lock. (A bpf_for() has at most 1 << 23 iterations.)
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
 * A kernel with this variable also counts local_irq_disable(), in bits between softirqs and hardirqs.
 * Declared with its type, so that it is looked up in BTF: a lookup in kallsyms takes a quarter of a second.
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

/* The context in which the program runs (fields of the kernel's linux/preempt.h). */
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
