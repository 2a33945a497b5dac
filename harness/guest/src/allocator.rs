// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! How the agent's allocator deals with memory.
//!
//! libbpf reads the kernel's types anew for each test, some megabytes of them. Where these pages are
//! given back and got again every time, faulting them in takes most of a test's time under software
//! emulation; so what was freed is kept.

/// Smaller blocks come from the heap, which keeps its pages. Larger ones, as the verifier's log, are
/// mapped: they are zeros that cost nothing until they are written to.
const MAPPED_FROM: libc::c_int = 12 << 20;

/// The heap gives memory back when this much lies free at its end.
const KEPT: libc::c_int = 256 << 20;

/// Has the allocator keep_freed what is freed. It may refuse: then all only takes longer.
pub fn keep_freed() {
    // SAFETY: sets numbers of the allocator, before there are threads.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}
