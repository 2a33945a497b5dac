// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Sees to it that the tools are there: installs or unpacks what is missing, or says how to get it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

use crate::env::apt::{self, Rights, Split};
use crate::env::command;
use crate::env::context::Context;
use crate::env::lock;
use crate::env::tools::{Tool, ToolKind, ToolState};
use crate::env::unpacked;

mod memory;

use memory::Memory;

/// Tools that are not good, and what was found of each.
type Wanting<'a> = Vec<(&'a Tool, ToolState)>;

/// Makes sure that `tools` are there and work.
pub fn ensure(ctx: &Context, tools: &[&Tool]) -> Result<()> {
    let memory = Memory::new(ctx, tools)?;
    if memory.holds() {
        return Ok(());
    }
    // another run may be installing the same; what it has done is seen then
    let _lock = lock::take(&ctx.cache_dir("tools")?.join("lock"), ctx.progress)?;
    let (wanting, files) = check(ctx, tools)?;
    if wanting.is_empty() {
        return memory.keep(&files);
    }
    get(ctx, &wanting)?;
    let (still, files) = check(ctx, tools)?;
    if !still.is_empty() {
        bail!(
            "packages were installed, and these tools still do not work:{}",
            described(&still)
        );
    }
    memory.keep(&files)
}

/// Checks each tool: the machine's own first, then what was unpacked because there was none. Returns
/// those that are not good, and the files that the answer depends on.
///
/// A program of the machine's that works is used as it is, from then on, too.
fn check<'a>(ctx: &Context, tools: &[&'a Tool]) -> Result<(Wanting<'a>, Vec<PathBuf>)> {
    let machine = command::machine_path();
    let programs = unpacked::programs(&ctx.cache);
    let mut wanting = Vec::new();
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
            wanting.push((*tool, checked.state));
        }
    }
    Ok((wanting, files))
}

/// What set-up would do about tools that are not good.
#[derive(Debug)]
pub struct Proposal<'a> {
    /// The tools that each package has.
    tools: BTreeMap<&'a str, Wanting<'a>>,
    split: Split,
}

/// What set-up would do; nothing is changed.
#[must_use]
pub fn propose<'a>(wanting: &[(&'a Tool, ToolState)]) -> Proposal<'a> {
    let mut tools: BTreeMap<&'a str, Wanting<'a>> = BTreeMap::new();
    for (tool, state) in wanting {
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
    /// A line for each package: what is done with it, and why.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for package in &self.split.installable {
            // a package that is installed already is asked for because of another
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

    /// Fails where a package can neither be installed nor unpacked.
    fn ensure_possible(&self) -> Result<()> {
        let others = self.split.others.iter();
        let refused: Vec<String> = others
            .filter(|(package, _)| !self.is_unpackable(package))
            .map(|(package, reason)| format!("\n  {package}: {reason}{}", self.reasons(package)))
            .collect();
        ensure!(
            refused.is_empty(),
            "these packages cannot be installed next to what this machine has, and compilers and \
             interpreters do not find them elsewhere:{}\n  install them by hand, or something else \
             that provides the same",
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
            .map(|(tool, _)| format!("{} ({})", called(tool), tool.why))
            .collect();
        format!(": {}", reasons.join(", "))
    }

    /// Only programs run from another place than the one they were made for.
    fn is_unpackable(&self, package: &str) -> bool {
        let mut tools = self.tools.get(package).into_iter().flatten();
        tools.all(|(tool, _)| tool.is_program())
    }
}

/// Installs what can be installed and unpacks the rest.
fn get(ctx: &Context, wanting: &[(&Tool, ToolState)]) -> Result<()> {
    if !apt::is_here() {
        bail!(
            "tools are missing, and this machine has no apt-get; install them as your distribution \
             does:{}",
            described(wanting)
        );
    }
    let packages = packages(wanting);
    let rights = Rights::of_this_process();
    if !apt::unknown(&packages)?.is_empty() {
        if rights == Rights::None {
            bail!(
                "tools are missing, and apt does not know their packages or has no lists:{}\n  get \
                 them as root:\n  {}",
                described(wanting),
                apt::line(&packages)
            );
        }
        rights.claim()?;
        update(ctx)?;
    }
    let unknown = apt::unknown(&packages)?;
    if !unknown.is_empty() {
        bail!(
            "apt has no package {}; see that its sources hold the main component of Debian 12 or newer. \
             These tools are missing:{}",
            unknown.join(", "),
            described(wanting)
        );
    }
    let proposal = propose(wanting);
    for line in proposal.lines() {
        ctx.progress.note(line);
    }
    proposal.ensure_possible()?;
    let installable = proposal.installable();
    if !installable.is_empty() && rights == Rights::None {
        bail!(
            "tools are missing, and installing them takes root or sudo:{}\n  this line does it:\n  {}",
            described(wanting),
            apt::line(&installable)
        );
    }
    if install(ctx, &proposal, rights).is_ok() {
        return Ok(());
    }
    // mirrors drop old versions, and then lists of an earlier day name files that are gone
    if rights != Rights::None {
        update(ctx)?;
    }
    let proposal = propose(wanting);
    proposal.ensure_possible()?;
    install(ctx, &proposal, rights)
        .with_context(|| format!("cannot get what is missing:{}", described(wanting)))
}

fn update(ctx: &Context) -> Result<()> {
    let stage = ctx.progress.stage("setup", "apt-get update");
    apt::update().context("cannot get the lists of packages")?;
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

/// The packages of tools, each once.
#[must_use]
pub fn packages<'a>(wanting: &[(&'a Tool, ToolState)]) -> Vec<&'a str> {
    let mut packages: Vec<&str> = wanting
        .iter()
        .map(|(tool, _)| tool.package.as_str())
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// What a tool is called where a program and another kind of tool could be meant.
#[must_use]
pub fn called(tool: &Tool) -> String {
    match tool.kind() {
        ToolKind::Program => tool.name.clone(),
        kind => format!("{kind} {}", tool.name),
    }
}

/// What is wrong with each tool, a line each.
#[must_use]
pub fn described(wanting: &[(&Tool, ToolState)]) -> String {
    wanting
        .iter()
        .map(|(tool, state)| {
            let wrong = match (state, tool.minimum) {
                (ToolState::TooOld(path, version), Some(minimum)) => format!(
                    "{} is {version}, expected {minimum} or newer",
                    path.display()
                ),
                (ToolState::Broken(said), _) => said.clone(),
                _ => "is missing".to_owned(),
            };
            format!("\n  {}: {wrong} ({})", called(tool), tool.why)
        })
        .collect()
}

#[cfg(test)]
mod tests;
