// SPDX-License-Identifier: GPL-2.0-only
/*
 * "A failed print leaves no trace", also for lack of memory: allocations are made to fail, prints may be
 * refused, and no text is lost, torn or leaked.
 */
#include "selftest.h"

#define LINES 20000

/*
 * All atomic allocations fail: after the reserved memory is used up, prints are refused. The
 * numbers of the accepted lines have no gap, and prints are accepted again when there is
 * memory.
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
 * The program is loaded, run and read repeatedly; each time another allocation fails, the first, the
 * second, until there are no more. A step that fails returns its errno and has no other effect, and all
 * printed text is read.
 */
SEC("syscall")
__requires(fault_injection)
__scenario(fail_nth)
int each_allocation(void *ctx)
{
	return bpf_stream_printk(BPF_STDOUT, "%s\n", "printed");
}
