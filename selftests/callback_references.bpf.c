// SPDX-License-Identifier: GPL-2.0-only
/*
 * References in callbacks and in the static functions that callbacks call. A callback must release what it
 * acquires, and must not release what its caller owns.
 */
#include "selftest.h"
#include <bpf/bpf_core_read.h>

extern void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) __ksym;
extern void bpf_obj_drop_impl(void *p__alloc, void *meta__ign) __ksym;

struct object {
	int value;
};

struct context {
	struct object *object;
};

static __always_inline struct object *new_object(void)
{
	return bpf_obj_new_impl(bpf_core_type_id_local(struct object), NULL);
}

static __noinline int acquire_only(void)
{
	return new_object() ? 1 : 0;
}

static int leak_in_callee(__u32 index, void *ctx)
{
	acquire_only();
	return 0;
}

/* Must be rejected: nothing drops the object that the callback's callee has allocated. */
SEC("syscall") __not_in_mainline("its verifier rejects the program with another message")
int acquired_in_callee(void *ctx)
{
	bpf_loop(1, leak_in_callee, NULL, 0);
	return 0;
}

static __noinline int drop(struct context *context)
{
	struct object *object = context->object;

	if (object)
		bpf_obj_drop_impl(object, NULL);
	return 0;
}

static int drop_in_callee(__u32 index, struct context *context)
{
	drop(context);
	return 0;
}

/* Must be rejected: the object belongs to the caller, which uses it afterwards. */
SEC("syscall") __not_in_mainline("its verifier rejects the program with another message")
int released_in_callee(void *ctx)
{
	struct context context = { new_object() };

	bpf_loop(1, drop_in_callee, &context, 0);
	if (context.object)
		bpf_obj_drop_impl(context.object, NULL);
	return 0;
}

static __noinline int acquire_and_drop(void)
{
	struct object *object = new_object();

	if (!object)
		return 1;
	bpf_obj_drop_impl(object, NULL);
	return 0;
}

static int balanced_callee(__u32 index, void *ctx)
{
	return acquire_and_drop();
}

SEC("syscall")
int balanced_in_callee(void *ctx)
{
	bpf_stream_printk(BPF_STDOUT, "%ld iterations\n", bpf_loop(3, balanced_callee, NULL, 0));
	return 0;
}

static int look(__u32 index, struct context *context)
{
	if (context->object)
		context->object->value = index + 1;
	return 0;
}

/* Must load without a warning: the callback checks that nothing was acquired. */
SEC("syscall")
int checked_for_null_in_callback(void *ctx)
{
	struct context context = { new_object() };

	bpf_loop(3, look, &context, 0);
	if (context.object) {
		bpf_stream_printk(BPF_STDOUT, "the callback wrote %d\n", context.object->value);
		bpf_obj_drop_impl(context.object, NULL);
	}
	return 0;
}
