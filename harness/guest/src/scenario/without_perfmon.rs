// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads the program with no capabilities but CAP_BPF and CAP_NET_ADMIN.

use anyhow::Result;

use super::plain;
use crate::capability::{CAP_BPF, CAP_NET_ADMIN, with_only};
use crate::test_ctx::TestCtx;

/// Loads the program twice: with all capabilities, where it must be accepted, and without.
///
/// The first load also makes libbpf probe the kernel's features. Without the capabilities the
/// probes would fail, and libbpf caches their results for all later tests.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    ctx.load()?;
    ctx.note("accepted with all capabilities");
    with_only(&[CAP_BPF, CAP_NET_ADMIN], || plain::run(ctx))?
}
