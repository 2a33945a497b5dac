/* SPDX-License-Identifier: GPL-2.0-only */
/* A function that is inlined into another file, for the source lines in reports. */
#ifndef __INLINED_H
#define __INLINED_H

#include "arena.h"

static __always_inline void store_in_header(void *pointer)
{
	touch(pointer);
}

#endif
