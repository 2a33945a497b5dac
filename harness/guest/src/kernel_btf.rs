// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! One parsed copy of the kernel's BTF for all tests, and the ids found in it.
//!
//! libbpf parses the kernel's BTF for every object that it loads, and has no option to share a
//! parsed copy. It then compares the name of each kfunc of the object with those of all functions
//! in it. Under software emulation parsing takes 64 ms per test and each search 2.5 ms, more than
//! everything else. The linker (`--wrap`, see `build.rs`) redirects libbpf's calls to this file:
//! the first load parses, later loads get the same copy, and the copy is never freed. libbpf only
//! reads it, so an id that was found stays right.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use libbpf_rs::libbpf_sys::btf;

/// The shared copy; NULL before the first load.
static KERNEL: AtomicPtr<btf> = AtomicPtr::new(ptr::null_mut());

/// Ids of types of the shared copy, by kind and name.
static IDS: Mutex<Option<HashMap<(u32, CString), i32>>> = Mutex::new(None);

unsafe extern "C" {
    fn __real_btf__load_vmlinux_btf() -> *mut btf;
    fn __real_btf__free(btf: *mut btf);
    fn __real_btf__find_by_name_kind(btf: *const btf, name: *const c_char, kind: u32) -> i32;
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

/// Called by libbpf instead of `btf__find_by_name_kind()`. What is not found is searched again, so
/// that libbpf's own function sets errno.
///
/// # Safety
///
/// As for `btf__find_by_name_kind()`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_btf__find_by_name_kind(
    btf: *const btf,
    name: *const c_char,
    kind: u32,
) -> i32 {
    // SAFETY: the caller's arguments, passed on unchanged.
    let search = || unsafe { __real_btf__find_by_name_kind(btf, name, kind) };
    if btf.is_null() || btf != KERNEL.load(Ordering::Acquire).cast_const() {
        return search();
    }
    // SAFETY: libbpf passes a C string.
    let key = (kind, unsafe { CStr::from_ptr(name) }.to_owned());
    let mut ids = IDS.lock().unwrap_or_else(PoisonError::into_inner);
    let ids = ids.get_or_insert_default();
    if let Some(id) = ids.get(&key) {
        return *id;
    }
    let id = search();
    if id > 0 {
        ids.insert(key, id);
    }
    id
}
