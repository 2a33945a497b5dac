// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The quick check: what the kernel build of `make boot-test` does not cover.
//!
//! That build shows that the whole series compiles, but not with `W=1`, and not between its patches. So
//! the quick check compiles the touched files at the end of the series with `W=1`, and the patches
//! whose change is new: it has not passed on this machine as part of a series.

use anyhow::Result;

use super::selection::{PatchState, Selection};
use super::{ArchBuild, Findings};
use crate::cmd::check::{SERIES, change, targets};
use crate::env::cache_key::Digest;
use crate::queue::series::{Patch, Series};

impl ArchBuild<'_> {
    /// Compiles the changed patches and the end of the series.
    pub fn changed_patches(mut self, series: &Series, findings: &mut Findings) -> Result<()> {
        let checkout = self.checkout;
        let states = self.states(series)?;
        let known = checkout.has_passed(&self.key_of_comparison());
        let standings: Result<Vec<PatchState>> = series
            .patches
            .iter()
            .zip(&states)
            .map(|(patch, [before, after])| self.standing(patch, before, after))
            .collect();
        let selection = Selection::of(&standings?, known);
        let arch = self.ctx.arch.to_string();
        findings
            .notes
            .extend(selection.notes(&series.patches, &arch));
        findings.remembered += selection.passed;
        for &at in &selection.compiled {
            let [before, after] = &states[at];
            let what = format!("{} on {arch}", series.patches[at].name);
            let key = self.key_of_patch("patch", before, after)?;
            if !checkout.once(&key, findings, || self.patch(before, after, &what))? {
                return Ok(());
            }
        }
        let what = format!("the end of the series on {arch}");
        let key = self.key_of_end()?;
        if checkout.once(&key, findings, || self.patch("base", SERIES, &what))? {
            self.remember_changes(series, &selection.beyond)?;
        }
        Ok(())
    }

    /// Stores that the series has passed, with the changes of its patches; `without` are patches that
    /// are not compiled yet.
    pub fn remember_changes(&self, series: &Series, without: &[usize]) -> Result<()> {
        for (at, patch) in series.patches.iter().enumerate() {
            match self.key_of_change(patch) {
                Some(key) if !without.contains(&at) => self.checkout.remember(&key)?,
                _ => {}
            }
        }
        self.checkout.remember(&self.key_of_comparison())
    }

    fn standing(&self, patch: &Patch, before: &str, after: &str) -> Result<PatchState> {
        let Some(change) = self.key_of_change(patch) else {
            return Ok(PatchState::NotCompiled);
        };
        let compiled = self.key_of_patch("patch", before, after)?;
        Ok(if self.checkout.has_passed(&compiled) {
            PatchState::Passed
        } else if self.checkout.has_passed(&change) {
            PatchState::Unchanged
        } else {
            PatchState::Changed
        })
    }

    /// The key of the change of a patch; none where it touches no compiled file.
    fn key_of_change(&self, patch: &Patch) -> Option<Digest> {
        let arch = self.ctx.arch;
        let compiled = |file: &str| targets::is_kernel(file, arch) || targets::is_tool(file);
        let change = change::key(&patch.text, compiled)?;
        let mut key = self.key_of_comparison();
        key.add("change", change);
        Some(key)
    }

    /// The key that a series for this base has passed.
    fn key_of_comparison(&self) -> Digest {
        let mut key = Digest::default();
        key.add("passed", &self.ctx.base);
        key.add("arch", self.ctx.arch.names().name);
        key
    }
}
