// SPDX-License-Identifier: GPL-2.0-only
/*
 * "-EBUSY: formatting buffers nested too deep", and a print may come where the kernel is in the
 * middle of one, or holds the locks of what a print needs: programs on the path of a print, and in
 * the page allocator with its locks held, print too, and nothing waits for itself.
 */
#include "selftest.h"

/* The agent's process; it sets this before the object is loaded. */
const volatile __u32 target_tgid;

/* The worst that each level's prints returned. */
static int second_ret, third_ret, fourth_ret;

/*
 * Each of these runs whenever a print formats its text, unless it is running on this CPU already:
 * so the second prints within the first, the third within the second, the fourth within the third.
 */
#define print_within(level)                                                               \
	SEC("fentry/bstr_printf")                                                         \
	__aux                                                                             \
	int level(void *ctx)                                                              \
	{                                                                                 \
		int ret = bpf_stream_printk(BPF_STDOUT, "%s\n", #level);                  \
                                                                                          \
		if (ret < level##_ret)                                                    \
			level##_ret = ret;                                                \
		return 0;                                                                 \
	}

print_within(second)
print_within(third)
print_within(fourth)

SEC("syscall")
__with(second)
__with(third)
__with(fourth)
int too_deep(void *ctx)
{
	int first_ret = bpf_stream_printk(BPF_STDOUT, "%s\n", "first");

	bpf_stream_printk(BPF_STDERR, "first: %s, second: %s, third: %s, fourth: %s\n",
			  result(first_ret), result(second_ret), result(third_ret),
			  result(fourth_ret));
	return 0;
}

static __u32 seen;

static const char kilobyte[] = TEXT_1000;

/*
 * Runs with the lock of a zone held and IRQs off, and prints 64 KiB: memory must be got from a
 * source that does not take that lock, or the print be refused; whichever, it must come back. The
 * agent's trigger maps, touches and unmaps memory, so that the lists of free pages are refilled.
 */
SEC("tp_btf/mm_page_alloc_zone_locked")
__trigger(memory)
int BPF_PROG(zone_locked, struct page *page)
{
	int i, ret = 0, refused = 0;

	if (bpf_get_current_pid_tgid() >> 32 != target_tgid ||
	    __sync_lock_test_and_set(&seen, 1))
		return 0;
	bpf_for(i, 0, 64) {
		ret = bpf_stream_vprintk(BPF_STDERR, kilobyte, NULL, 0);
		if (ret)
			refused++;
	}
	bpf_stream_printk(BPF_STDOUT, "64 prints, of which were refused: %d\n", refused);
	return 0;
}
