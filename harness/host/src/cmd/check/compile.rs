// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Builds every patch alone, with `W=1`, on every architecture, and runs sparse on the touched files;
//! new warnings are findings. The quick check compiles less: see `compile/quick.rs`.
//!
//! After each patch, make builds the folders that the series changes: the touched files and those that
//! include a touched header. The whole kernel is linked once per configuration, at the end of the
//! series.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Result;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::{Checkout, Depth, Findings, sparse, targets, warnings};
use crate::build::bpftool;
use crate::build::kconfig::{self, Requests};
use crate::build::kernel::Build;
use crate::env::arch::Arch;
use crate::env::cache_key::Digest;
use crate::env::context::Context;
use crate::env::progress::ProgressStage;
use crate::queue::series::Series;

mod quick;
mod selection;

/// Builds every patch; the quick check builds the changed patches and the end of the series.
pub fn check(
    checkout: &Checkout<'_>,
    series: &Series,
    depth: Depth,
    findings: &mut Findings,
) -> Result<()> {
    let arches = match depth {
        Depth::Quick => vec![checkout.ctx.arch],
        _ => Arch::buildable_here(),
    };
    for arch in arches {
        let ctx = checkout.context(arch);
        let bench = ArchBuild::new(checkout, &ctx, depth)?;
        match depth {
            Depth::Quick => bench.changed_patches(series, findings)?,
            _ => bench.every_patch(series, findings)?,
        }
    }
    Ok(())
}

/// The builds of the patches for an architecture.
struct ArchBuild<'a> {
    checkout: &'a Checkout<'a>,
    ctx: &'a Context,
    depth: Depth,
    requests: Requests,
    /// The files that the whole series touches.
    touched: BTreeSet<String>,
    known: Option<Known>,
}

/// Warnings of compilers and sparse in the base, in the folders that the series touches.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Known {
    compiler: Vec<String>,
    sparse: Vec<String>,
}

impl<'a> ArchBuild<'a> {
    fn new(checkout: &'a Checkout<'a>, ctx: &'a Context, depth: Depth) -> Result<ArchBuild<'a>> {
        Ok(ArchBuild {
            checkout,
            ctx,
            depth,
            requests: kconfig::load(&kconfig::fragments(ctx)?)?,
            touched: checkout.touched("base", super::SERIES)?,
            known: None,
        })
    }

    fn build(&self) -> Build<'a> {
        let name = format!("check-{}", self.ctx.arch);
        Build::named(self.ctx, self.checkout.tree.dir(), &name).with_warnings()
    }

    fn every_patch(mut self, series: &Series, findings: &mut Findings) -> Result<()> {
        let checkout = self.checkout;
        for (patch, [before, after]) in series.patches.iter().zip(self.states(series)?) {
            let what = format!("{} on {}", patch.name, self.ctx.arch);
            let key = self.key_of_patch("patch and sparse", &before, &after)?;
            let passed = checkout.once(&key, findings, || self.patch(&before, &after, &what))?;
            if !passed {
                // later patches would fail for the same reason
                return Ok(());
            }
            // the full check includes the quick check
            checkout.remember(&self.key_of_patch("patch", &before, &after)?)?;
        }
        checkout.remember(&self.key_of_end()?)?;
        self.remember_changes(series, &[])
    }

    /// The commits before and after each patch.
    fn states(&self, series: &Series) -> Result<Vec<[String; 2]>> {
        let commits = self.checkout.commits()?;
        let before = std::iter::once("base".to_owned()).chain(commits.iter().cloned());
        let states: Vec<_> = before
            .zip(commits.clone())
            .map(<[String; 2]>::from)
            .collect();
        debug_assert_eq!(states.len(), series.patches.len());
        Ok(states)
    }

    fn key_of_patch(&self, what: &str, before: &str, after: &str) -> Result<Digest> {
        let states = [before, after];
        self.checkout
            .build_key(what, &states, self.ctx, &self.requests)
    }

    /// The key of the end of the series, relative to the base.
    fn key_of_end(&self) -> Result<Digest> {
        self.key_of_patch("series", "base", super::SERIES)
    }

    /// Builds `commit` and returns the findings; sparse checks the files that differ from `before`.
    fn patch(&mut self, before: &str, commit: &str, what: &str) -> Result<Vec<String>> {
        if !self.is_quick() {
            self.known()?;
        }
        let touched = self.checkout.touched(before, commit)?;
        self.checkout.tree.check_out(commit)?;
        let build = self.build();
        self.begin(&build)?;
        let stage = self
            .ctx
            .progress
            .stage("check", format!("compiling {what}"));
        let targets = targets::folders(self.checkout.tree.dir(), &self.touched, self.ctx.arch);
        let mut wrong = Vec::new();
        if !targets.is_empty() {
            self.configure(&build)?;
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            if let Err(error) = build.make(&targets, &stage) {
                return Ok(vec![format!("{what}: {error:#}")]);
            }
            let said = warnings::read(&read_log(&build)?, &warnings::OF_COMPILERS);
            // without any warning, the warnings of the base are not needed
            let known = match said.is_empty() {
                true => Vec::new(),
                false => self.known()?.compiler,
            };
            let new = warnings::new(said.iter(), &known);
            wrong.extend(
                new.iter()
                    .map(|text| format!("{what}: new warning: {text}")),
            );
        }
        wrong.extend(self.of_sparse(&build, &touched, what, &stage)?);
        if self.is_first() && touched.iter().any(|file| targets::is_tool(file)) {
            let made = bpftool::make(self.ctx, self.checkout.tree.dir());
            wrong.extend(made.err().map(|error| format!("{what}: {error:#}")));
        }
        if wrong.is_empty() {
            self.end(&build)?;
        }
        stage.done(format!("compiled {what}"));
        Ok(wrong)
    }

    /// The warnings of sparse for `touched`, the files of a patch.
    fn of_sparse(
        &mut self,
        build: &Build<'_>,
        touched: &BTreeSet<String>,
        what: &str,
        stage: &ProgressStage,
    ) -> Result<Vec<String>> {
        let own = self.sources_for_sparse(touched);
        let found = sparse::run(build, self.checkout.tree.dir(), &own, self.ctx.arch, stage)?;
        // warnings in files that the patch does not touch are ignored, for example in a newly included
        // header
        let found: Vec<_> = found
            .iter()
            .filter(|warning| touched.contains(&warning.file))
            .collect();
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let new = warnings::new(found.into_iter(), &self.known()?.sparse);
        let findings = new.iter().map(|text| format!("{what}: sparse: {text}"));
        Ok(findings.collect())
    }

    /// sparse prints the same for a common file on every architecture, so one architecture checks
    /// common files; folders of an architecture are checked there.
    fn sources_for_sparse(&self, touched: &BTreeSet<String>) -> BTreeSet<String> {
        if self.is_quick() {
            return BTreeSet::new();
        }
        let ours = |file: &&String| self.is_first() || file.starts_with("arch/");
        touched.iter().filter(ours).cloned().collect()
    }

    fn is_quick(&self) -> bool {
        self.depth == Depth::Quick
    }

    fn is_first(&self) -> bool {
        self.is_quick() || Arch::buildable_here().first() == Some(&self.ctx.arch)
    }

    /// The warnings of the base; compiled once per set of touched files.
    fn known(&mut self) -> Result<Known> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let build = self.build();
        let name = format!("base-{}.json", self.key_of_base()?);
        let memory = self.checkout.passed.join(name);
        let remembered = fs::read(&memory)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        let known = match remembered {
            Some(known) => known,
            None => self.ask_base(&build)?,
        };
        let text = serde_json::to_vec(&known)?;
        fs::write(&memory, text)?;
        Ok(self.known.insert(known).clone())
    }

    /// Resolves the configuration, if the existing one may be stale.
    fn configure(&self, build: &Build<'_>) -> Result<()> {
        let asked = fs::read_to_string(build.out().join("requests.config")).unwrap_or_default();
        let same = asked == self.requests.text() && build.out().join(".config").exists();
        let moves = self.touched.iter().any(|file| targets::is_kconfig(file));
        if same && !moves {
            return Ok(());
        }
        build.configure(&self.requests)
    }

    fn key_of_base(&self) -> Result<String> {
        let states = ["base"];
        let mut key = self
            .checkout
            .build_key("base", &states, self.ctx, &self.requests)?;
        for file in &self.touched {
            key.add("touched", file);
        }
        key.add("quick", self.is_quick().to_string());
        Ok(key.key())
    }

    fn ask_base(&self, build: &Build<'_>) -> Result<Known> {
        self.checkout.tree.check_out("base")?;
        // a clean build, since make repeats no warning of files that it has compiled earlier
        build.remove()?;
        let what = format!("the base on {}", self.ctx.arch);
        let stage = self
            .ctx
            .progress
            .stage("check", format!("compiling {what}"));
        build.configure(&self.requests)?;
        self.begin(build)?;
        let mut known = Known::default();
        let targets = targets::folders(self.checkout.tree.dir(), &self.touched, self.ctx.arch);
        if !targets.is_empty() {
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            build.make(&targets, &stage)?;
            known.compiler = shown(&warnings::read(&read_log(build)?, &warnings::OF_COMPILERS));
        }
        let tree = self.checkout.tree.dir();
        let found = sparse::run(
            build,
            tree,
            &self.sources_for_sparse(&self.touched),
            self.ctx.arch,
            &stage,
        )?;
        known.sparse = shown(&found);
        self.end(build)?;
        stage.done(format!("compiled {what}"));
        Ok(known)
    }

    /// Marks the folder as one with an unfinished build. make does not compile a file again, so it
    /// would not repeat its warnings: the next build removes a marked folder.
    fn begin(&self, build: &Build<'_>) -> Result<()> {
        let mark = unfinished(build);
        if mark.exists() {
            build.remove()?;
        }
        fs::create_dir_all(build.out())?;
        Ok(fs::write(&mark, "")?)
    }

    fn end(&self, build: &Build<'_>) -> Result<()> {
        let mark = unfinished(build);
        match fs::remove_file(&mark) {
            // a build of the base removed the mark
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => Ok(removed?),
        }
    }
}

fn unfinished(build: &Build<'_>) -> PathBuf {
    build.out().join("bpf-streams.unfinished")
}

fn read_log(build: &Build<'_>) -> Result<String> {
    let text = fs::read(build.log())?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn shown(found: &[warnings::Warning]) -> Vec<String> {
    warnings::new(found.iter(), &[])
}
