/* SPDX-License-Identifier: GPL-2.0-only */
/* A function that is inlined into another file than its own, for the lines that reports name. */
#ifndef __INLINED_H
#define __INLINED_H

#include "arena.h"

static __always_inline void store_in_header(void *pointer)
{
	touch(pointer);
}

#endif
