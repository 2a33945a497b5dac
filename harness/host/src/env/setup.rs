// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Installs or unpacks the tools that a task needs, or describes how the user can install them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

use crate::env::apt::{self, Rights, Split};
use crate::env::command;
use crate::env::context::Context;
use crate::env::lock;
use crate::env::tools::{Tool, ToolKind, ToolState};
use crate::env::unpacked;

mod checked;

use checked::CheckedTools;

/// Tools that do not work, and their states.
type BadTools<'a> = Vec<(&'a Tool, ToolState)>;

/// Ensures that `tools` work.
pub fn ensure(ctx: &Context, tools: &[&Tool]) -> Result<()> {
    let checked = CheckedTools::new(ctx, tools)?;
    if checked.is_valid() {
        return Ok(());
    }
    // if another run installs the same tools, this check comes after it
    let _lock = lock::take(&ctx.cache_dir("tools")?.join("lock"), ctx.progress)?;
    let (bad_tools, files) = check(ctx, tools)?;
    if bad_tools.is_empty() {
        return checked.store(&files);
    }
    get(ctx, &bad_tools)?;
    let (still, files) = check(ctx, tools)?;
    if !still.is_empty() {
        bail!(
            "packages were installed, but these tools still do not work:{}",
            describe(&still)
        );
    }
    checked.store(&files)
}

/// Checks each tool: first the machine's own, then the unpacked one. Returns those that do not work, and
/// the files that the result depends on.
///
/// Where the machine's own program works, the unpacked one is removed.
fn check<'a>(ctx: &Context, tools: &[&'a Tool]) -> Result<(BadTools<'a>, Vec<PathBuf>)> {
    let machine = command::machine_path();
    let programs = unpacked::programs(&ctx.cache);
    let mut bad_tools = Vec::new();
    let mut files = Vec::new();
    for tool in tools {
        let mut checked = tool.check_in(&machine);
        if tool.is_program() {
            if checked.state.is_good() {
                unpacked::withdraw(&ctx.cache, &tool.name)?;
            } else if programs.join(&tool.name).exists() {
                checked = tool.check_in(&command::in_front(&[&programs], &machine));
                checked
                    .files
                    .push(unpacked::stamp(&ctx.cache, &tool.package));
            }
        }
        files.extend(checked.files);
        if !checked.state.is_good() {
            bad_tools.push((*tool, checked.state));
        }
    }
    Ok((bad_tools, files))
}

/// What set-up does about tools that do not work.
#[derive(Debug)]
pub struct Proposal<'a> {
    /// The tools of each package.
    tools: BTreeMap<&'a str, BadTools<'a>>,
    split: Split,
}

/// What set-up would do. Changes nothing.
#[must_use]
pub fn propose<'a>(bad_tools: &[(&'a Tool, ToolState)]) -> Proposal<'a> {
    let mut tools: BTreeMap<&'a str, BadTools<'a>> = BTreeMap::new();
    for (tool, state) in bad_tools {
        let of_package = tools.entry(tool.package.as_str()).or_default();
        of_package.push((*tool, state.clone()));
    }
    let packages: Vec<&str> = tools.keys().copied().collect();
    Proposal {
        split: apt::split(&packages, &apt::simulate),
        tools,
    }
}

impl Proposal<'_> {
    /// One line per package: what is done with it, and why.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for package in &self.split.installable {
            // a package without a change is already installed
            if let Some(change) = self.split.plan.change(package) {
                let verb = if change.old.is_some() {
                    "upgrade"
                } else {
                    "install"
                };
                lines.push(format!(
                    "{verb} {package} {}{}",
                    change.new,
                    self.reasons(package)
                ));
            }
        }
        let direct = lines.len();
        let upgraded: Vec<String> = self
            .dependencies()
            .filter(|change| change.old.is_some())
            .map(|change| change.package.clone())
            .collect();
        let dependencies = self.dependencies().count();
        if dependencies > 0 {
            lines.push(format!(
                "with {dependencies} packages that {} on",
                if direct == 1 {
                    "it depends"
                } else {
                    "these depend"
                }
            ));
        }
        if !upgraded.is_empty() {
            lines.push(format!("upgraded among those: {}", upgraded.join(", ")));
        }
        for (package, reason) in &self.split.others {
            let reasons = self.reasons(package);
            lines.push(if self.is_unpackable(package) {
                format!("unpack {package} into the cache ({reason}){reasons}")
            } else {
                format!("cannot install {package} ({reason}){reasons}")
            });
        }
        lines
    }

    /// The packages that can be installed.
    fn installable(&self) -> Vec<&str> {
        self.split.installable.iter().map(String::as_str).collect()
    }

    /// Fails if a package can be neither installed nor unpacked.
    fn ensure_possible(&self) -> Result<()> {
        let others = self.split.others.iter();
        let refused: Vec<String> = others
            .filter(|(package, _)| !self.is_unpackable(package))
            .map(|(package, reason)| format!("\n  {package}: {reason}{}", self.reasons(package)))
            .collect();
        ensure!(
            refused.is_empty(),
            "these packages conflict with installed ones, and compilers and interpreters do not find \
             them in the cache:{}\n  install them by hand, or other packages that provide the same",
            refused.concat()
        );
        Ok(())
    }

    fn dependencies(&self) -> impl Iterator<Item = &apt::Change> {
        let changes = self.split.plan.changes.iter();
        changes.filter(|change| !self.tools.contains_key(change.package.as_str()))
    }

    /// `: <tool> (<why>), …`
    fn reasons(&self, package: &str) -> String {
        let tools = self.tools.get(package).into_iter().flatten();
        let reasons: Vec<String> = tools
            .map(|(tool, _)| format!("{} ({})", display_name(tool), tool.why))
            .collect();
        format!(": {}", reasons.join(", "))
    }

    /// Only programs run from another folder than the one they were packaged for.
    fn is_unpackable(&self, package: &str) -> bool {
        let mut tools = self.tools.get(package).into_iter().flatten();
        tools.all(|(tool, _)| tool.is_program())
    }
}

/// Installs or unpacks the tools, with `apt-get update` where necessary.
fn get(ctx: &Context, bad_tools: &[(&Tool, ToolState)]) -> Result<()> {
    if !apt::is_installed() {
        bail!(
            "tools are missing, and this machine has no apt-get; install them with your distribution's \
             package manager:{}",
            describe(bad_tools)
        );
    }
    let rights = Rights::of_this_process();
    ensure_known(ctx, bad_tools, rights)?;
    let proposal = propose(bad_tools);
    for line in proposal.lines() {
        ctx.progress.note(line);
    }
    proposal.ensure_possible()?;
    let installable = proposal.installable();
    if !installable.is_empty() && rights == Rights::None {
        bail!(
            "tools are missing, and installing them needs root or sudo:{}\n  run:\n  {}",
            describe(bad_tools),
            apt::line(&installable)
        );
    }
    if install(ctx, &proposal, rights).is_ok() {
        return Ok(());
    }
    // mirrors remove old versions, so that old package lists name missing files
    if rights != Rights::None {
        update(ctx)?;
    }
    let proposal = propose(bad_tools);
    proposal.ensure_possible()?;
    install(ctx, &proposal, rights)
        .with_context(|| format!("cannot install the missing tools:{}", describe(bad_tools)))
}

/// Ensures that apt's lists have the packages of `bad_tools`; updates the lists if they lack one.
fn ensure_known(ctx: &Context, bad_tools: &[(&Tool, ToolState)], rights: Rights) -> Result<()> {
    let packages = packages(bad_tools);
    if !apt::unknown(&packages)?.is_empty() {
        if rights == Rights::None {
            bail!(
                "tools are missing, and apt has no package lists, or the lists lack their packages:{}\n  \
                 install them as root:\n  {}",
                describe(bad_tools),
                apt::line(&packages)
            );
        }
        rights.claim()?;
        update(ctx)?;
    }
    let unknown = apt::unknown(&packages)?;
    if !unknown.is_empty() {
        bail!(
            "apt has no package {}; its sources must contain the main component of Debian 12 or newer. \
             These tools are missing:{}",
            unknown.join(", "),
            describe(bad_tools)
        );
    }
    Ok(())
}

fn update(ctx: &Context) -> Result<()> {
    let stage = ctx.progress.stage("setup", "apt-get update");
    apt::update().context("cannot update the package lists")?;
    stage.done("apt-get update");
    Ok(())
}

/// Installs what can be installed, and unpacks the rest.
fn install(ctx: &Context, proposal: &Proposal<'_>, rights: Rights) -> Result<()> {
    let installable = proposal.installable();
    if !installable.is_empty() {
        rights.claim()?;
        let count = proposal.split.plan.changes.len();
        let packages = if count == 1 { "package" } else { "packages" };
        let stage = ctx
            .progress
            .stage("setup", format!("installing {count} {packages}"));
        apt::install(&installable)?;
        stage.done(format!("installed {count} {packages}"));
    }
    for (package, _) in &proposal.split.others {
        for (tool, _) in proposal.tools.get(package.as_str()).into_iter().flatten() {
            unpacked::provide(ctx, package, &tool.name)?;
        }
    }
    Ok(())
}

/// The packages of `bad_tools`, each one once.
#[must_use]
pub fn packages<'a>(bad_tools: &[(&'a Tool, ToolState)]) -> Vec<&'a str> {
    let mut packages: Vec<&str> = bad_tools
        .iter()
        .map(|(tool, _)| tool.package.as_str())
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// The name of a tool, with its kind unless it is a program.
#[must_use]
pub fn display_name(tool: &Tool) -> String {
    match tool.kind() {
        ToolKind::Program => tool.name.clone(),
        kind => format!("{kind} {}", tool.name),
    }
}

/// One line per tool: why it does not work.
#[must_use]
pub fn describe(bad_tools: &[(&Tool, ToolState)]) -> String {
    bad_tools
        .iter()
        .map(|(tool, state)| {
            let fault = match (state, tool.minimum) {
                (ToolState::TooOld(path, version), Some(minimum)) => format!(
                    "{} is {version}, expected {minimum} or newer",
                    path.display()
                ),
                (ToolState::Broken(message), _) => message.clone(),
                _ => "is missing".to_owned(),
            };
            format!("\n  {}: {fault} ({})", display_name(tool), tool.why)
        })
        .collect()
}

#[cfg(test)]
mod tests;
