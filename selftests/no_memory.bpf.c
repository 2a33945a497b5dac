// SPDX-License-Identifier: GPL-2.0-only
/*
 * "A failed print leaves no trace", also where it fails for want of memory: allocations are made to
 * fail, prints may be refused, and nothing is lost, torn or left behind.
 */
#include "selftest.h"

#define LINES 20000

/*
 * No allocation that may not wait succeeds: what the kernel has put by is used up, and then prints
 * are refused. The numbers of the lines that were accepted go on without a gap, and when there is
 * memory again, prints are accepted again.
 */
static __noinline int print_lines(void)
{
	int i, err, accepted = 0;

	bpf_for(i, 0, LINES) {
		err = bpf_stream_printk(BPF_STDOUT, "%07d %07d\n", 0, accepted);
		if (!err)
			accepted++;
		else if (err != -12 /* ENOMEM */)
			return err;
	}
	return accepted;
}

SEC("syscall")
__requires(fault_injection)
__scenario(fail_page_alloc)
int no_pages(void *ctx)
{
	return print_lines();
}

/*
 * The program is loaded, run and read again and again; each time another one of all allocations on
 * the way fails, the first, the second, until there are no more. A step that fails says so by its
 * errno and nothing else, and whatever was printed is read.
 */
SEC("syscall")
__requires(fault_injection)
__scenario(fail_nth)
int each_allocation(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "%s\n", "printed");
}
