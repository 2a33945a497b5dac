// SPDX-License-Identifier: GPL-2.0-only
/*
 * "Addresses follow kptr_restrict; a loader without CAP_PERFMON sees no raw kernel address." Hashed
 * addresses still show that the attempted lock is the held one.
 */
#include "selftest.h"

struct element {
	struct bpf_res_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

static struct element *element(__u32 key)
{
	return bpf_map_lookup_elem(&elements, &key);
}

static __always_inline int lock_both(void)
{
	struct element *one = element(0), *same = element(0);
	int err, ret;

	if (!one || !same)
		return -1;
	err = bpf_res_spin_lock(&one->lock);
	if (err)
		return err;
	ret = bpf_res_spin_lock(&same->lock);
	if (!ret)
		bpf_res_spin_unlock(&same->lock);
	bpf_res_spin_unlock(&one->lock);
	return ret;
}

SEC("tc") __not_in_mainline("it prints raw addresses for every loader")
__scenario(report_addresses)
int lock_twice(struct __sk_buff *skb)
{
	return lock_both();
}

/* With a token, the capabilities of the user namespace count: the verifier accepts leaks of pointers, too. */
SEC("tc") __not_in_mainline("it prints raw addresses for every loader")
__requires(user_namespaces)
__scenario(report_addresses_with_token)
int lock_twice_with_token(struct __sk_buff *skb)
{
	return lock_both();
}
