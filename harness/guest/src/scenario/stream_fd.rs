// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Stream descriptors: how they are opened, what their reads return, who may use them, and when
//! they end, for the tests of `selftests/descriptors.bpf.c`.

pub mod blocking;
pub mod by_btf;
pub mod end;
pub mod errors;
pub mod fork;
pub mod forked;
pub mod io_uring;
pub mod killed;
pub mod memory;
pub mod properties;
pub mod reads;
pub mod removed;
pub mod shared;
pub mod socket;
pub mod user_namespace;
