// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_res_spin_lock in a value of every kind of map that supports bpf_spin_lock, and the effect of updates
 * on such values. (locks_rejected.bpf.c has the other kinds of maps; locks.bpf.c has globals and allocated
 * objects.)
 */
#include "selftest.h"

/* The agent's process; the agent sets it before the object is loaded. */
const volatile __u32 target_tgid;

struct element {
	__u64 before;
	struct bpf_res_spin_lock lock;
	__u32 after;
};

#define LOCKED_VALUE(kind)                \
	__uint(type, BPF_MAP_TYPE_##kind); \
	__type(value, struct element)

struct {
	LOCKED_VALUE(ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
} array SEC(".maps");

struct {
	LOCKED_VALUE(HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
} hash SEC(".maps");

struct {
	LOCKED_VALUE(HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4);
	__type(key, __u32);
} hash_allocated SEC(".maps");

struct {
	LOCKED_VALUE(CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
} cgroup_storage_map SEC(".maps");

struct {
	LOCKED_VALUE(SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
} sk_storage_map SEC(".maps");

struct {
	LOCKED_VALUE(INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
} inode_storage_map SEC(".maps");

struct {
	LOCKED_VALUE(TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
} task_storage_map SEC(".maps");

struct {
	LOCKED_VALUE(CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
} cgrp_storage_map SEC(".maps");

/* Locks it three times, twice with the data that it protects; the third round sees none of it. */
static __noinline void lock_three_times(struct element *e)
{
	unsigned long flags;
	int held = 0;

	if (!bpf_res_spin_lock(&e->lock)) {
		held++;
		e->before++;
		bpf_res_spin_unlock(&e->lock);
	}
	if (!bpf_res_spin_lock_irqsave(&e->lock, &flags)) {
		held++;
		e->after++;
		bpf_res_spin_unlock_irqrestore(&e->lock, &flags);
	}
	if (!bpf_res_spin_lock(&e->lock)) {
		held++;
		bpf_res_spin_unlock(&e->lock);
	}
	bpf_stream_printk(BPF_STDOUT, "held %d of 3 times, beside it %llu and %u\n", held, e->before,
			  e->after);
}

/* --- the kinds of maps */

SEC("syscall")
int in_array(void *ctx)
{
	__u32 key = 0;
	struct element *e = bpf_map_lookup_elem(&array, &key);

	if (!e)
		return -1;
	lock_three_times(e);
	return 0;
}

static __always_inline int lock_new_element(void *map)
{
	struct element new = {.before = 10, .after = 20}, *e;
	__u32 key = 1;

	if (bpf_map_update_elem(map, &key, &new, BPF_NOEXIST))
		return -1;
	e = bpf_map_lookup_elem(map, &key);
	if (!e)
		return -2;
	lock_three_times(e);
	return bpf_map_delete_elem(map, &key);
}

SEC("syscall")
int in_preallocated_hash(void *ctx)
{
	return lock_new_element(&hash);
}

SEC("syscall")
int in_allocated_hash(void *ctx)
{
	return lock_new_element(&hash_allocated);
}

SEC("cgroup_skb/egress")
int in_cgroup_storage(struct __sk_buff *skb)
{
	lock_three_times(bpf_get_local_storage(&cgroup_storage_map, 0));
	return 1;
}

SEC("tc")
int in_sk_storage(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct element *e;

	if (!sk)
		return -1;
	e = bpf_sk_storage_get(&sk_storage_map, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!e)
		return -2;
	lock_three_times(e);
	return bpf_sk_storage_delete(&sk_storage_map, sk);
}

static __always_inline bool from_agent(void)
{
	return bpf_get_current_pid_tgid() >> 32 == target_tgid;
}

static bool seen;

/* For events that the agent causes more than once: only the first is printed. */
static __always_inline bool first_from_agent(void)
{
	if (seen || !from_agent())
		return false;
	seen = true;
	return true;
}

SEC("lsm/file_open")
__trigger(open)
int BPF_PROG(in_inode_storage, struct file *file, int ret)
{
	struct element *e;

	if (!first_from_agent())
		return ret;
	e = bpf_inode_storage_get(&inode_storage_map, file->f_inode, NULL,
				  BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (e)
		lock_three_times(e);
	return ret;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(in_task_storage, struct pt_regs *regs, long id)
{
	struct element *e;

	if (!first_from_agent())
		return 0;
	e = bpf_task_storage_get(&task_storage_map, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (e)
		lock_three_times(e);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(in_cgrp_storage, struct pt_regs *regs, long id)
{
	struct element *e;

	if (!first_from_agent())
		return 0;
	e = bpf_cgrp_storage_get(&cgrp_storage_map, bpf_get_current_task_btf()->cgroups->dfl_cgrp,
				 NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (e)
		lock_three_times(e);
	return 0;
}

/* --- updates */

/* A value whose lock is marked as held: all of it but the lock is copied into the map. */
#define update_with_lock_set(map, flags)                                                     \
	({                                                                                   \
		struct element new = {.before = 10, .lock.val = 1, .after = 20}, *__e;       \
		__u32 __key = 0;                                                             \
		int __err = bpf_map_update_elem(map, &__key, &new, flags);                   \
											     \
		__e = bpf_map_lookup_elem(map, &__key);                                      \
		if (!__err && __e)                                                           \
			lock_three_times(__e);                                               \
		__err;                                                                       \
	})

SEC("syscall")
__repeat(2)
int update_of_array(void *ctx)
{
	return update_with_lock_set(&array, BPF_ANY);
}

/* The second run replaces the element. */
SEC("syscall")
__repeat(2)
int update_of_preallocated_hash(void *ctx)
{
	return update_with_lock_set(&hash, BPF_ANY);
}

SEC("syscall")
__repeat(2)
int update_of_allocated_hash(void *ctx)
{
	return update_with_lock_set(&hash_allocated, BPF_ANY);
}

/* With BPF_F_LOCK the kernel acquires a bpf_spin_lock itself, but no bpf_res_spin_lock. */
SEC("syscall")
int update_under_lock(void *ctx)
{
	struct element new = {};
	__u32 key = 0;

	return bpf_map_update_elem(&array, &key, &new, BPF_F_LOCK);
}
