// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Puts `src/kernel_btf.rs` between libbpf's loader and its BTF functions, and `src/state_freq.rs`
//! between the loader and `bpf_prog_load()`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for function in [
        "btf__load_vmlinux_btf",
        "btf__free",
        "btf__find_by_name_kind",
        "bpf_prog_load",
    ] {
        println!("cargo:rustc-link-arg-bins=-Wl,--wrap={function}");
    }
}
