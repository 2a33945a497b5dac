/* SPDX-License-Identifier: GPL-2.0-only */
/* The kfuncs of a workqueue, by their names in 7.x. */
#ifndef __WORKQUEUE_H
#define __WORKQUEUE_H

#include "selftest.h"

extern int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags) __weak __ksym;
extern int bpf_wq_set_callback(struct bpf_wq *wq, int(callback_fn)(void *map, int *key, void *value),
			       unsigned int flags) __weak __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __weak __ksym;

#endif
