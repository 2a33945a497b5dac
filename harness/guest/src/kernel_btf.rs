// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! One parsed copy of the kernel's BTF for all tests.
//!
//! libbpf parses the kernel's BTF for every object that it loads, and has no option to share a
//! parsed copy. Under software emulation parsing takes 64 ms per test, more than everything else.
//! The linker (`--wrap`, see `build.rs`) redirects libbpf's calls to this file: the first load
//! parses, later loads get the same copy, and the copy is never freed. libbpf only reads it.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libbpf_rs::libbpf_sys::btf;

/// The shared copy; NULL before the first load.
static KERNEL: AtomicPtr<btf> = AtomicPtr::new(ptr::null_mut());

unsafe extern "C" {
    fn __real_btf__load_vmlinux_btf() -> *mut btf;
    fn __real_btf__free(btf: *mut btf);
}

/// Called by libbpf instead of `btf__load_vmlinux_btf()`.
#[unsafe(no_mangle)]
extern "C" fn __wrap_btf__load_vmlinux_btf() -> *mut btf {
    let known = KERNEL.load(Ordering::Acquire);
    if !known.is_null() {
        return known;
    }
    // SAFETY: libbpf's own function, declared with its signature.
    let parsed = unsafe { __real_btf__load_vmlinux_btf() };
    // an error is NULL, and the next load tries again
    match KERNEL.compare_exchange(known, parsed, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => parsed,
        // another thread was first, and its copy is kept
        Err(first) => {
            // SAFETY: nothing else has a pointer to this copy.
            unsafe { __real_btf__free(parsed) };
            first
        }
    }
}

/// Called by libbpf instead of `btf__free()`.
///
/// # Safety
///
/// As for `btf__free()`: the BTF must not be used afterwards, unless it is the kernel's.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_btf__free(btf: *mut btf) {
    if btf.is_null() || btf != KERNEL.load(Ordering::Acquire) {
        // SAFETY: the caller's pointer, passed on unchanged.
        unsafe { __real_btf__free(btf) };
    }
}
