/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Load-acquire and store-release for programs. clang 19 does not support them, so the instructions are
 * assembled here from their numbers.
 */
#ifndef __ACQREL_H
#define __ACQREL_H

/* BPF_STX | BPF_ATOMIC with each of the sizes */
#define ATOMIC_u8 0xd3
#define ATOMIC_u16 0xcb
#define ATOMIC_u32 0xc3
#define ATOMIC_u64 0xdb

#define LOAD_ACQ 0x100
#define STORE_REL 0x110

/* An instruction's eight bytes. */
#define ATOMIC_INSN(type, op, dst, src, off)                      \
	(ATOMIC_##type | (__u64)(dst) << 8 | (__u64)(src) << 12 | \
	 (__u64)(__u16)(off) << 16 | (__u64)(op) << 32)

/*
 * One atomic instruction, with the numbers of its registers. The caller must tell the compiler which
 * registers it changes.
 */
#define atomic_insn(type, op, dst, src, off)                            \
	asm volatile(".8byte %[insn];"                                  \
		     :                                                  \
		     : [insn] "i"(ATOMIC_INSN(type, op, dst, src, off)) \
		     : "r0", "memory")

/* Loads a value of this type from base + off; off is a constant. */
#define load_acquire(type, base, off)                                             \
	({                                                                        \
		__u64 __value;                                                    \
		asm volatile("r1 = %[from];"                                      \
			     ".8byte %[insn];"                                    \
			     "%[value] = r0;"                                     \
			     : [value] "=r"(__value)                              \
			     : [from] "r"(base),                                  \
			       [insn] "i"(ATOMIC_INSN(type, LOAD_ACQ, 0, 1, off)) \
			     : "r0", "r1", "memory");                             \
		__value;                                                          \
	})

/* Stores a value of this type to base + off; off is a constant. */
#define store_release(type, base, off, value)                              \
	asm volatile("r1 = %[to];"                                         \
		     "r0 = %[what];"                                       \
		     ".8byte %[insn];"                                     \
		     :                                                     \
		     : [to] "r"(base), [what] "r"(value),                  \
		       [insn] "i"(ATOMIC_INSN(type, STORE_REL, 1, 0, off)) \
		     : "r0", "r1", "memory")

#endif
