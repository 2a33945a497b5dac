// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversions of pointers: %p, %px, %pK, %ps, %pS, %pB. (In a file of its own, as libbpf reads all of
 * /proc/kallsyms to find the address of a kernel function, for every program of the object. For other
 * conversions see conversions.bpf.c.)
 */
#include "selftest.h"

#define print(fmt, args...) bpf_stream_printk(BPF_STDOUT, fmt "\n", ##args)

/* A kernel function that all configurations of this project have. */
extern const void bpf_fentry_test1 __ksym;

/* Addresses differ with every boot, but are the same within a text. */
SEC("syscall")
int pointers(void *ctx)
{
	const void *function = &bpf_fentry_test1;

	print("address as px, hashed as p, again as p: 0x%px 0x%p 0x%p", function, function,
	      function);
	print("hashed as pK: 0x%pK", function);
	print("NULL as p, px, pK: %p %px %pK", NULL, NULL, NULL);
	print("symbol as ps: %ps", function);
	print("symbol and offset as pS: %pS", function);
	print("return address as pB: %pB", function + 1);
	return 0;
}
