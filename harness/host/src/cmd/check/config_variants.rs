// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The whole series builds without the features that it extends.

use anyhow::Result;

use super::{Checkout, Findings};
use crate::build::kconfig::{self, Requests};
use crate::build::kernel::Build;
use crate::env::arch::Arch;
use crate::env::context::Context;

/// A build without a feature.
struct Without {
    /// The name of its folder.
    name: &'static str,
    /// The disabled option.
    option: &'static str,
    /// The architectures on which the option can be disabled.
    arches: &'static [Arch],
}

/// The builds. They are compiled and linked, not booted.
const WITHOUT: [Without; 3] = [
    Without {
        name: "no-bpf-syscall",
        option: "CONFIG_BPF_SYSCALL",
        arches: &Arch::ALL,
    },
    Without {
        name: "no-bpf-jit",
        option: "CONFIG_BPF_JIT",
        arches: &Arch::ALL,
    },
    Without {
        name: "no-smp",
        option: "CONFIG_SMP",
        // arm64 requires SMP
        arches: &[Arch::X86_64],
    },
];

/// Options that a kernel without a boot does not need.
const NO_DEBUG_INFO: [(&str, &str); 2] = [
    ("CONFIG_DEBUG_INFO_DWARF4", "n"),
    ("CONFIG_DEBUG_INFO_NONE", "y"),
];

/// Builds each, on every architecture.
pub fn check(checkout: &Checkout<'_>, findings: &mut Findings) -> Result<()> {
    for arch in Arch::buildable_here() {
        let ctx = checkout.context(arch);
        let requests = kconfig::load(&kconfig::fragments(&ctx)?)?;
        for without in WITHOUT.iter().filter(|w| w.arches.contains(&arch)) {
            let changes = [&[(without.option, "n")], &NO_DEBUG_INFO[..]].concat();
            let requests = requests.with(&changes);
            let key = checkout.build_key(without.name, &[super::SERIES], &ctx, &requests)?;
            checkout.once(&key, findings, || build(checkout, &ctx, without, &requests))?;
        }
    }
    Ok(())
}

fn build(
    checkout: &Checkout<'_>,
    ctx: &Context,
    without: &Without,
    requests: &Requests,
) -> Result<Vec<String>> {
    checkout.tree.check_out(super::SERIES)?;
    let name = format!("{}-{}", without.name, ctx.arch);
    let stage = ctx.progress.stage("check", format!("building {name}"));
    let build = Build::named(ctx, checkout.tree.dir(), &name);
    let config = build.resolve(requests)?;
    // many requested options depend on the feature; only its own value is checked
    let off = [(without.option, "n")];
    Requests::default().with(&off).ensure_granted(&config)?;
    if let Err(error) = build.make(&["vmlinux"], &stage) {
        return Ok(vec![format!("{name}: {error:#}")]);
    }
    stage.done(format!("built {name}"));
    Ok(Vec::new())
}
