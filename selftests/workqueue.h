/* SPDX-License-Identifier: GPL-2.0-only */
/* The kfuncs of a work queue, as 6.12 and as mainline have them. */
#ifndef __WORKQUEUE_H
#define __WORKQUEUE_H

#include "selftest.h"

extern int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags) __weak __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __weak __ksym;
/* 6.12's, which is given the calling program as its last argument */
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq,
				    int(callback_fn)(void *map, int *key, void *value),
				    unsigned int flags, void *aux) __weak __ksym;
/* mainline's, whose last argument the verifier supplies */
extern int bpf_wq_set_callback(struct bpf_wq *wq,
			       int(callback_fn)(void *map, int *key, void *value),
			       unsigned int flags) __weak __ksym;

static __always_inline int set_callback(struct bpf_wq *wq,
					int(callback_fn)(void *map, int *key, void *value))
{
	if (bpf_ksym_exists(bpf_wq_set_callback))
		return bpf_wq_set_callback(wq, callback_fn, 0);
	return bpf_wq_set_callback_impl(wq, callback_fn, 0, NULL);
}

#endif
