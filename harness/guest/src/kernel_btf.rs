// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! One parsed copy of the kernel's BTF for all tests.
//!
//! libbpf parses the kernel's BTF anew for every object that it loads and has no option to hand it
//! a parsed one. Under software emulation that is 64 ms a test, more than all the rest of it. So
//! the linker (`--wrap`, see `build.rs`) sends libbpf's calls here: the first load parses, the later
//! ones get the same copy, and that copy is never freed. libbpf only reads it.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libbpf_rs::libbpf_sys::btf;

/// The copy, once there is one.
static KERNEL: AtomicPtr<btf> = AtomicPtr::new(ptr::null_mut());

unsafe extern "C" {
    fn __real_btf__load_vmlinux_btf() -> *mut btf;
    fn __real_btf__free(btf: *mut btf);
}

/// What libbpf calls for `btf__load_vmlinux_btf()`.
#[unsafe(no_mangle)]
extern "C" fn __wrap_btf__load_vmlinux_btf() -> *mut btf {
    let known = KERNEL.load(Ordering::Acquire);
    if !known.is_null() {
        return known;
    }
    // SAFETY: libbpf's own function, with its own signature.
    let parsed = unsafe { __real_btf__load_vmlinux_btf() };
    // an error is NULL; the next load tries again
    match KERNEL.compare_exchange(known, parsed, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => parsed,
        // another thread was first, its copy stays
        Err(first) => {
            // SAFETY: this copy was never given to anybody.
            unsafe { __real_btf__free(parsed) };
            first
        }
    }
}

/// What libbpf calls for `btf__free()`.
///
/// # Safety
///
/// As for `btf__free()`: nobody may use the BTF afterwards, unless it is the kernel's.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_btf__free(btf: *mut btf) {
    if btf.is_null() || btf != KERNEL.load(Ordering::Acquire) {
        // SAFETY: passed on as it came.
        unsafe { __real_btf__free(btf) };
    }
}
