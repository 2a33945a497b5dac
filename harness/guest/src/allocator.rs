// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Settings of the agent's allocator.
//!
//! libbpf reads several megabytes of kernel types for each test. Returning these pages and faulting
//! them in again takes most of a test's time under software emulation, so the allocator keeps freed
//! memory.

/// Blocks from this size on are mapped, such as the buffer for the verifier's log: zero pages cost
/// nothing until they are written.
const MAPPED_FROM: libc::c_int = 12 << 20;

/// The heap returns memory to the kernel when this much is free at its end.
const KEPT: libc::c_int = 256 << 20;

/// Makes the allocator keep freed memory. `mallopt()` may fail: then tests only take longer.
pub fn keep_freed() {
    // SAFETY: sets parameters of the allocator, before there are threads.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}
