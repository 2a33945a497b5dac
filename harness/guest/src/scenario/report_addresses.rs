// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Which addresses the report of a deadlock shows, by `kernel.kptr_restrict` and by the capabilities
//! of the task that loaded the program.

mod token;

use std::fs;
use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};

use crate::capability::{CAP_BPF, CAP_NET_ADMIN, with_only};
use crate::load::Loaded;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

pub use token::run as run_with_token;

const KPTR_RESTRICT: &str = "/proc/sys/kernel/kptr_restrict";

/// Each value of the sysctl.
const VALUES: [&str; 3] = ["0", "1", "2"];

/// The largest hashed address: 32 bits. Those of the kernel are in the upper half of 64 bits.
const MAX_HASHED: u64 = u32::MAX as u64;

/// Restores the sysctl when dropped.
struct KptrRestrict {
    before: String,
}

impl KptrRestrict {
    fn keep() -> Result<Self> {
        let before = fs::read_to_string(KPTR_RESTRICT)
            .with_context(|| format!("cannot read {KPTR_RESTRICT}"))?;
        Ok(KptrRestrict { before })
    }

    fn set(&self, value: &str) -> Result<()> {
        fs::write(KPTR_RESTRICT, value)
            .with_context(|| format!("cannot write {value} to {KPTR_RESTRICT}"))
    }
}

impl Drop for KptrRestrict {
    fn drop(&mut self) {
        if let Err(error) = self.set(self.before.trim_end()) {
            // later tests would run with the wrong value: report it on the console
            eprintln!("bpf-streams-guest: {error:#}");
        }
    }
}

/// Runs the program, which acquires a lock twice, once for each combination.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let kptr_restrict = KptrRestrict::keep()?;
    // libbpf probes the kernel's features here, for which it needs all capabilities
    ctx.load()?;
    for value in VALUES {
        kptr_restrict.set(value)?;
        let shown = with_all_and_few(ctx)?;
        ctx.note(format!("kptr_restrict {value}: {shown}"));
    }
    Ok(None)
}

/// Loads the program with all capabilities of this process, and without CAP_PERFMON.
fn with_all_and_few(ctx: &TestCtx<'_>) -> Result<String> {
    let all = addresses(&ctx.load()?)?;
    let few = with_only(&[CAP_BPF, CAP_NET_ADMIN], || match ctx.load() {
        Ok(loaded) => addresses(&loaded),
        // where the CPU's mitigations are on, the verifier also follows the branch that a failed
        // acquisition does not take, and there the locks are in another state
        Err(_) => Ok("rejected"),
    })??;
    Ok(format!(
        "{all} if loaded with all capabilities, {few} without CAP_PERFMON"
    ))
}

/// Runs the program, and classifies the addresses of its report.
fn addresses(loaded: &Loaded) -> Result<&'static str> {
    let program = loaded.program()?;
    prog_run::run(&program, 1, None)?;
    let mut stderr = Vec::new();
    Stream::Stderr.drain(program.as_fd(), &mut stderr)?;
    let report = String::from_utf8_lossy(&stderr);
    let attempted = address(&report, "Attempted lock   = 0x")?;
    let held = address(&report, "Held lock[ 0] = 0x")?;
    ensure!(
        attempted == held,
        "the attempted and the held lock are the same, but the report shows {attempted:x} and {held:x}"
    );
    Ok(if attempted > MAX_HASHED {
        "raw"
    } else {
        "hashed"
    })
}

fn address(report: &str, label: &str) -> Result<u64> {
    let digits = report
        .lines()
        .find_map(|line| line.strip_prefix(label))
        .with_context(|| format!("no line `{label}…` in the report:\n{report}"))?;
    u64::from_str_radix(digits, 16).with_context(|| format!("no address: `{digits}`"))
}
