/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftest programs share: the attributes by which a case says how it wants to be run,
 * and the interface of the streams as a program sees it.
 *
 * Every program of an object is a case of its own, called <file>__<program>. It is loaded alone,
 * run once in the way that its type asks for, and then both of its streams are read. What a case
 * needs beyond that stands beside it, as an attribute, and nowhere else. The guest agent reads the
 * attributes from the object's BTF (decl tags).
 */
#ifndef __SELFTEST_H
#define __SELFTEST_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __streams(key, value) __attribute__((btf_decl_tag("streams:" key "=" value)))

/* not a case: loaded only with a case that names it by __with() */
#define __aux __streams("aux", "1")
/* load this program of the same object too, and attach it where it can be attached */
#define __with(prog) __streams("with", #prog)
/* run n times instead of once */
#define __run(n) __streams("run", #n)
/* what makes an attached program run; the names stand in harness/guest/src/trigger.rs */
#define __trigger(name) __streams("trigger", #name)
/* wait, for a bounded time, until the stream has given n bytes */
#define __await_stdout(n) __streams("await_stdout", #n)
#define __await_stderr(n) __streams("await_stderr", #n)
/* more than load, run, read: harness/guest/src/scenario/<name>.rs */
#define __scenario(name) __streams("scenario", #name)

#endif
