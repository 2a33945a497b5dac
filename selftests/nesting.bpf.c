// SPDX-License-Identifier: GPL-2.0-only
/*
 * "-EBUSY: formatting buffers nested too deep", and a print may come while the kernel is in another print
 * or holds locks that a print needs: programs called during a print, and in the page allocator with its
 * locks held, print too, and must not deadlock.
 */
#include "selftest.h"

/* The agent's process; the agent sets it before the object is loaded. */
const volatile __u32 target_tgid;

#define DEEPEST 4

/* Number of prints in progress, and the last result of a print at each nesting level. */
static __u32 depth = 1;
static int returned[DEEPEST + 1];

static __always_inline int print_within(void)
{
	__u32 here = ++depth;
	int ret = bpf_stream_printk(BPF_STDOUT, "depth %1d\n", here);

	if (here <= DEEPEST)
		returned[here] = ret;
	depth--;
	return 0;
}

/*
 * Each of these runs when a print is about to release its formatting buffer, unless it already runs
 * on this CPU: so one prints while the first buffer is in use, another while two are, and the last
 * while three are. (Prints with only common conversions release it elsewhere, so these have a
 * width.)
 */
SEC("fentry/bpf_bprintf_cleanup")
__auxiliary
int second(void *ctx)
{
	return print_within();
}

SEC("fentry/bpf_bprintf_cleanup")
__auxiliary
int third(void *ctx)
{
	return print_within();
}

SEC("fentry/bpf_bprintf_cleanup")
__auxiliary
int fourth(void *ctx)
{
	return print_within();
}

SEC("syscall") __not_run_in_mainline("it warns of the fourth print within another, so that is not tried")
__load_with(second)
__load_with(third)
__load_with(fourth)
int too_deep(void *ctx)
{
	int ret = bpf_stream_printk(BPF_STDOUT, "depth %1d\n", 1);

	bpf_stream_printk(BPF_STDERR, "depth 1: %s, 2: %s, 3: %s, 4: %s\n", result(ret),
			  result(returned[2]), result(returned[3]), result(returned[4]));
	return 0;
}

static __u32 seen;

static const char kilobyte[] = TEXT_1000;

/*
 * Runs with a zone lock held and IRQs off, and prints 64,000 bytes: memory must come from a source that
 * does not take that lock. The agent's trigger maps, touches and unmaps memory, so that the per-CPU page
 * lists are refilled from the zone.
 */
SEC("tp_btf/mm_page_alloc_zone_locked") __not_in_mainline("a print without arguments may not have NULL for them")
__trigger(memory)
__scenario(line_count)
int BPF_PROG(zone_locked, struct page *page)
{
	int i, ret = 0, refused = 0;

	if (bpf_get_current_pid_tgid() >> 32 != target_tgid ||
	    __sync_lock_test_and_set(&seen, 1))
		return 0;
	bpf_for(i, 0, 64) {
		ret = bpf_stream_vprintk(BPF_STDOUT, kilobyte, NULL, 0);
		if (ret)
			refused++;
	}
	bpf_stream_printk(BPF_STDERR, "64 prints, of which were refused: %d\n", refused);
	return 0;
}
