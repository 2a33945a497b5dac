// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Load-acquire and store-release": each of these programs violates one rule for loads, stores or atomics.
 * None may load.
 *
 * They are tc or syscall programs where any type would do.
 */
#include "selftest.h"
#include <bpf/bpf_core_read.h>
#include "acqrel.h"

extern void *bpf_rdonly_cast(const void *obj__ign, u32 btf_id__k) __ksym;
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern const int bpf_prog_active __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[60]);
} values SEC(".maps");

static __always_inline void *value(void)
{
	return bpf_map_lookup_elem(&values, &(__u32){ 0 });
}

/* Invalid operations and registers. */

SEC("syscall")
int eight_bits_read_modify_write(void *ctx)
{
	__u64 on_stack = 0;

	asm volatile("r1 = %[to];"
		     "r0 = 1;"
		     ".8byte %[insn];"
		     :
		     : [to] "r"(&on_stack), [insn] "i"(ATOMIC_INSN(u8, 0 /* BPF_ADD */, 1, 0, 0))
		     : "r0", "r1", "memory");
	return on_stack;
}

SEC("syscall")
int sixteen_bits_exchange(void *ctx)
{
	__u64 on_stack = 0;

	asm volatile("r1 = %[to];"
		     "r0 = 1;"
		     ".8byte %[insn];"
		     :
		     : [to] "r"(&on_stack), [insn] "i"(ATOMIC_INSN(u16, 0xe1 /* BPF_XCHG */, 1, 0, 0))
		     : "r0", "r1", "memory");
	return on_stack;
}

SEC("syscall")
int load_acquire_with_fetch(void *ctx)
{
	atomic_insn(u64, LOAD_ACQ | 1 /* BPF_FETCH */, 0, 10, -8);
	return 0;
}

SEC("syscall")
int operation_beyond_store_release(void *ctx)
{
	atomic_insn(u64, 0x120, 10, 1, -8);
	return 0;
}

SEC("syscall")
int load_from_uninitialised_register(void *ctx)
{
	atomic_insn(u64, LOAD_ACQ, 0, 9, 0);
	return 0;
}

SEC("syscall")
int store_to_uninitialised_register(void *ctx)
{
	atomic_insn(u64, STORE_REL, 9, 1, 0);
	return 0;
}

SEC("syscall")
int store_of_uninitialised_register(void *ctx)
{
	atomic_insn(u64, STORE_REL, 10, 9, -8);
	return 0;
}

SEC("syscall") __not_in_mainline("the log has no source line there")
int load_from_register_beyond_frame_pointer(void *ctx)
{
	atomic_insn(u64, LOAD_ACQ, 0, 11, 0);
	return 0;
}

SEC("syscall") __not_in_mainline("the log has no source line there")
int store_to_register_beyond_frame_pointer(void *ctx)
{
	atomic_insn(u64, STORE_REL, 15, 1, 0);
	return 0;
}

SEC("syscall")
int load_into_frame_pointer(void *ctx)
{
	asm volatile("r0 = 0;"
		     "*(u64 *)(r10 - 8) = r0;"
		     ".8byte %[insn];"
		     :
		     : [insn] "i"(ATOMIC_INSN(u64, LOAD_ACQ, 10, 10, -8))
		     : "r0", "memory");
	return 0;
}

SEC("syscall")
int load_from_number(void *ctx)
{
	return load_acquire(u32, 4096, 0);
}

SEC("syscall")
int store_to_number(void *ctx)
{
	store_release(u32, 4096, 0, 1);
	return 0;
}

/*
 * Memory on which atomics are rejected, as accesses to it are rewritten. (Packets begin two bytes after a
 * multiple of four.)
 */

SEC("tc")
int load_from_context(struct __sk_buff *skb)
{
	return load_acquire(u32, skb, 0);
}

/* The load overwrites the pointer on which the permission depends. */
SEC("tc")
int load_over_its_context(struct __sk_buff *skb)
{
	int mark;

	asm volatile("r1 = %[skb];"
		     ".8byte %[insn];"
		     "%[mark] = r1;"
		     : [mark] "=r"(mark)
		     : [skb] "r"(skb),
		       [insn] "i"(ATOMIC_INSN(u32, LOAD_ACQ, 1, 1, 8 /* mark */))
		     : "r1", "memory");
	return mark;
}

SEC("tc")
int store_to_context(struct __sk_buff *skb)
{
	store_release(u32, skb, 8 /* mark */, 1);
	return 0;
}

SEC("tc")
int load_from_packet(struct __sk_buff *skb)
{
	void *packet = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (packet + 8 > end)
		return 0;
	return load_acquire(u32, packet, 2);
}

SEC("tc")
int store_to_packet(struct __sk_buff *skb)
{
	void *packet = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (packet + 8 > end)
		return 0;
	store_release(u32, packet, 2, 1);
	return 0;
}

SEC("flow_dissector")
int load_from_flow_keys(struct __sk_buff *skb)
{
	return load_acquire(u16, skb->flow_keys, 0);
}

SEC("tc")
int load_from_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	return load_acquire(u32, sk, 4 /* family */);
}

/* A load that may fault: plain loads get an entry in the exception table. */
SEC("syscall")
int load_through_untrusted_pointer(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return load_acquire(u64, task->mm, 0);
}

/* Trusted memory, but plain loads of it may fault too: it is a flexible array. */
SEC("syscall") __not_in_mainline("it takes load-acquires and store-releases on more kinds of memory")
int load_through_acquired_pointer(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (!task)
		return 0;
	load_acquire(u32, task, 0);
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int load_through_cast_pointer(void *ctx)
{
	void *task = bpf_rdonly_cast((void *)(long)bpf_get_prandom_u32(),
				     bpf_core_type_id_kernel(struct task_struct));

	return load_acquire(u32, task, 0);
}

/* Memory that may not be written, or not be read. */

SEC("syscall")
int store_to_task(void *ctx)
{
	store_release(u32, bpf_get_current_task_btf(), 0, 1);
	return 0;
}

static const __u64 constant = 1;

SEC("syscall")
int store_to_read_only_map(void *ctx)
{
	const __u64 *to = &constant;

	barrier_var(to);
	store_release(u64, to, 0, 2);
	return 0;
}

SEC("syscall")
int store_to_read_only_memory(void *ctx)
{
	store_release(u32, bpf_this_cpu_ptr(&bpf_prog_active), 0, 2);
	return 0;
}

SEC("syscall")
int store_to_map(void *ctx)
{
	store_release(u32, &values, 0, 2);
	return 0;
}

static long write_key(struct bpf_map *map, const __u32 *key, void *val, void *ctx)
{
	store_release(u32, key, 0, 2);
	return 0;
}

SEC("syscall")
int store_to_map_key(void *ctx)
{
	return bpf_for_each_map_elem(&values, write_key, NULL, 0);
}

SEC("syscall") __not_in_mainline("it knows that an element of an array with a constant index is there")
int load_without_null_check(void *ctx)
{
	return load_acquire(u32, value(), 0);
}

struct locked {
	struct bpf_spin_lock lock;
	struct task_struct __kptr *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} locks SEC(".maps");

static __always_inline struct locked *locked(void)
{
	return bpf_map_lookup_elem(&locks, &(__u32){ 0 });
}

SEC("tc")
int load_from_spin_lock(struct __sk_buff *skb)
{
	struct locked *at = locked();

	return at ? load_acquire(u32, at, 0) : 0;
}

SEC("tc")
int store_to_spin_lock(struct __sk_buff *skb)
{
	struct locked *at = locked();

	if (at)
		store_release(u32, at, 0, 0);
	return 0;
}

SEC("tc")
int load_from_kptr(struct __sk_buff *skb)
{
	struct locked *at = locked();

	return at ? !!load_acquire(u64, at, 8) : 0;
}

SEC("tc")
int store_to_kptr(struct __sk_buff *skb)
{
	struct locked *at = locked();

	if (at)
		store_release(u64, at, 8, 0);
	return 0;
}

/* Bounds and alignment. */

SEC("syscall")
int load_behind_value(void *ctx)
{
	void *at = value();

	return at ? load_acquire(u8, at, 60) : 0;
}

SEC("syscall")
int store_across_end_of_value(void *ctx)
{
	void *at = value();

	if (at)
		store_release(u64, at, 56, 0);
	return 0;
}

SEC("syscall")
int load_before_value(void *ctx)
{
	void *at = value();

	return at ? load_acquire(u16, at, -2) : 0;
}

/* Loads 16 bits: up to 65535, which is more than the size of the value. */
SEC("syscall")
int index_of_sixteen_bits(void *ctx)
{
	__u8 *at = value();
	__u64 index;

	if (!at)
		return 0;
	index = load_acquire(u16, at, 0);
	return at[index];
}

SEC("syscall")
int load_behind_stack(void *ctx)
{
	atomic_insn(u64, LOAD_ACQ, 0, 10, 0);
	return 0;
}

SEC("syscall")
int store_below_stack(void *ctx)
{
	atomic_insn(u64, STORE_REL, 10, 1, -520);
	return 0;
}

SEC("syscall") __not_in_mainline("it writes the offset of a misaligned access otherwise")
int load_misaligned(void *ctx)
{
	void *at = value();

	return at ? load_acquire(u32, at, 2) : 0;
}

SEC("syscall") __not_in_mainline("it writes the offset of a misaligned access otherwise")
int store_misaligned(void *ctx)
{
	void *at = value();

	if (at)
		store_release(u64, at, 4, 0);
	return 0;
}

SEC("syscall") __not_in_mainline("it writes the offset of a misaligned access otherwise")
int load_misaligned_on_stack(void *ctx)
{
	__u64 on_stack[2] = {};

	barrier_var(ctx);
	return load_acquire(u64, on_stack, 4);
}

/* The verifier's model of the stack must include these stores and loads. */

/* After the store the pointer on the stack is a number. */
SEC("syscall")
int number_stored_over_pointer(void *ctx)
{
	asm volatile("r6 = %[value];"
		     "*(u64 *)(r10 - 8) = r6;"
		     "r0 = 4096;"
		     ".8byte %[store];"
		     "r6 = *(u64 *)(r10 - 8);"
		     "r0 = *(u64 *)(r6 + 0);"
		     :
		     : [value] "r"(&values), [store] "i"(ATOMIC_INSN(u64, STORE_REL, 10, 0, -8))
		     : "r0", "r6", "memory");
	return 0;
}

SEC("syscall")
int byte_stored_over_pointer(void *ctx)
{
	asm volatile("r6 = %[value];"
		     "*(u64 *)(r10 - 8) = r6;"
		     "r0 = 1;"
		     ".8byte %[store];"
		     "r6 = *(u64 *)(r10 - 8);"
		     "r0 = *(u64 *)(r6 + 0);"
		     :
		     : [value] "r"(&values), [store] "i"(ATOMIC_INSN(u8, STORE_REL, 10, 0, -8))
		     : "r0", "r6", "memory");
	return 0;
}

SEC("syscall")
int half_of_pointer_stored(void *ctx)
{
	atomic_insn(u32, STORE_REL, 10, 10, -8);
	return 0;
}

SEC("syscall")
int half_of_pointer_loaded(void *ctx)
{
	asm volatile(".8byte %[store];"
		     ".8byte %[load];"
		     :
		     : [store] "i"(ATOMIC_INSN(u64, STORE_REL, 10, 10, -8)),
		       [load] "i"(ATOMIC_INSN(u32, LOAD_ACQ, 0, 10, -8))
		     : "r0", "memory");
	return 0;
}

SEC("syscall") __not_in_mainline("its verifier names the register where 6.12's says arg")
int dynptr_overwritten(void *ctx)
{
	struct bpf_dynptr dynptr;
	void *at = value();

	if (!at)
		return 0;
	bpf_dynptr_from_mem(at, 60, 0, &dynptr);
	store_release(u64, &dynptr, 0, 0);
	return bpf_dynptr_data(&dynptr, 0, 1) != NULL;
}

/*
 * Two paths meet, with index 0 and with index 100, and only the first is valid. The verifier checks the
 * first path first and stores the state where they meet. It must not prune the second path, although the
 * states differ only in what was stored or loaded. (The verifier stores no states close to each other.)
 */
#define TWO_PATHS(with_100, with_0, then)                                 \
	"call %[random];"                                                 \
	"r7 = r0;"                                                        \
	"r1 = %[values] ll;"                                              \
	"r2 = r10;"                                                       \
	"r2 += -16;"                                                      \
	"r0 = 0;"                                                         \
	"*(u32 *)(r10 - 16) = r0;"                                        \
	"call %[lookup];"                                                 \
	"if r0 == 0 goto 2f;"                                             \
	"r1 = 0; r1 = 0; r1 = 0; r1 = 0; r1 = 0; r1 = 0; r1 = 0; r1 = 0;" \
	with_100                                                          \
	"if r7 != 0 goto 1f;"                                             \
	with_0                                                            \
	"1:" then                                                         \
	"r0 += r8;"                                                       \
	"r0 = *(u8 *)(r0 + 0);"                                           \
	"2:"

SEC("syscall")
int bad_number_stored_on_second_path(void *ctx)
{
	asm volatile(TWO_PATHS("r6 = 100;", "r6 = 0;",
			       ".8byte %[store]; r8 = *(u64 *)(r10 - 8);")
		     :
		     : [random] "i"(bpf_get_prandom_u32), [lookup] "i"(bpf_map_lookup_elem),
		       [values] "i"(&values), [store] "i"(ATOMIC_INSN(u64, STORE_REL, 10, 6, -8))
		     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "memory");
	return 0;
}

SEC("syscall")
int bad_number_loaded_on_second_path(void *ctx)
{
	asm volatile(TWO_PATHS("r6 = 100; *(u64 *)(r10 - 8) = r6;",
			       "r6 = 0; *(u64 *)(r10 - 8) = r6;",
			       "r6 = 0; .8byte %[load];")
		     :
		     : [random] "i"(bpf_get_prandom_u32), [lookup] "i"(bpf_map_lookup_elem),
		       [values] "i"(&values), [load] "i"(ATOMIC_INSN(u64, LOAD_ACQ, 8, 10, -8))
		     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "memory");
	return 0;
}

/*
 * Forbidden without CAP_PERFMON: leaking an address, or reading uninitialised stack. With the capability
 * each of these programs is accepted.
 */

SEC("tc")
__scenario(without_perfmon)
int address_stored_into_map(struct __sk_buff *skb)
{
	void *at = value();

	if (at)
		store_release(u64, at, 0, skb);
	return 0;
}

/* BTF has no parameter names for naked functions, and requires them. */
SEC("tc")
__scenario(without_perfmon)
__attribute__((naked)) int address_loaded_and_returned(void)
{
	asm volatile(".8byte %[store];"
		     ".8byte %[load];"
		     "exit;"
		     :
		     : [store] "i"(ATOMIC_INSN(u64, STORE_REL, 10, 10, -8)),
		       [load] "i"(ATOMIC_INSN(u64, LOAD_ACQ, 0, 10, -8))
		     : "r0", "memory");
}

SEC("tc")
__scenario(without_perfmon)
int byte_stored_into_pointer(struct __sk_buff *skb)
{
	asm volatile("*(u64 *)(r10 - 8) = r10;"
		     "r0 = 1;"
		     ".8byte %[store];"
		     :
		     : [store] "i"(ATOMIC_INSN(u8, STORE_REL, 10, 0, -8))
		     : "r0", "memory");
	return 0;
}

SEC("tc")
__scenario(without_perfmon)
int load_from_unwritten_stack(struct __sk_buff *skb)
{
	atomic_insn(u64, LOAD_ACQ, 0, 10, -8);
	return 0;
}
