// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Which lists of packages apt is asked with: the machine's own, or, for a suite that the machine is
//! not set to, lists in the cache. The mirror is the machine's in both tests, and what the machine is
//! set to is never changed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell};

use crate::env::apt;
use crate::env::command::{self, command, shell_in};
use crate::env::context::Context;
use crate::env::lock::{self, Lock};

/// Where apt keeps what it knows of the machine's mirrors; it changes with `apt-get update` and only
/// then.
const MACHINES: &str = "/var/lib/apt/lists";

/// Lists of ours are asked for anew after this long: a suite moves on once a day at most.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// Lists of packages: the machine's, or those of a suite.
#[derive(Debug)]
pub struct Lists(Option<(String, Own)>);

/// Lists in a folder of the cache, held while they are in use: apt does not share them.
#[derive(Debug)]
pub struct Own {
    /// What they are of, for people.
    what: String,
    dir: PathBuf,
    _lock: Lock,
}

impl Lists {
    /// Those that have `suite`; the machine's where there is none to name.
    pub fn of(ctx: &Context, suite: Option<&str>) -> Result<Lists> {
        let Some(suite) = suite else {
            return Ok(Lists(None));
        };
        let own = Own::open(ctx, suite, format!("Debian's suite {suite}"))?;
        if !own.are_of_today() {
            match own.update(&line(suite)?) {
                // without a network, those of yesterday will do
                Err(error) if own.age().is_some() => ctx.progress.note(format!(
                    "the lists of {} are old and cannot be had anew: {error:#}",
                    own.what
                )),
                result => result?,
            }
        }
        Ok(Lists(Some((suite.to_owned(), own))))
    }

    /// `program`, one of apt's, with these lists.
    pub fn command<'a>(&self, sh: &'a Shell, program: &str) -> Cmd<'a> {
        match &self.0 {
            Some((_, own)) => own.command(sh, program),
            None => command(sh, program),
        }
    }

    /// When they changed last; the same number for the same lists.
    pub fn stamp(&self) -> u128 {
        let file = self
            .0
            .as_ref()
            .map_or_else(|| MACHINES.into(), |(_, own)| own.updated());
        let changed = fs::metadata(file).and_then(|meta| meta.modified());
        let since = changed.map(|time| time.duration_since(UNIX_EPOCH).unwrap_or_default());
        since.unwrap_or_default().as_nanos()
    }

    /// Gets them anew where we may; whether that was so.
    pub fn update(&self) -> Result<bool> {
        match &self.0 {
            Some((suite, own)) => own.update(&line(suite)?).map(|()| true),
            None if apt::can_install() => apt::update().map(|()| true),
            None => Ok(false),
        }
    }

    /// What a user does where they do not hold what they should.
    pub fn advice(&self) -> String {
        match &self.0 {
            Some((_, own)) => format!(
                "see that there still is {} (`suite` in the base's base.json)",
                own.what
            ),
            None => {
                "run `apt-get update`, and see that its sources hold a Debian suite that has it \
                     (12 and its updates do)"
                    .to_owned()
            }
        }
    }
}

impl Own {
    /// Those in the folder `name`, as they are.
    pub fn open(ctx: &Context, name: &str, what: String) -> Result<Own> {
        let apt = ctx.cache_dir("apt")?;
        let lock = lock::take(&apt.join(format!("{name}.lock")), ctx.progress)?;
        Ok(Own {
            what,
            dir: apt.join(name),
            _lock: lock,
        })
    }

    /// `program`, one of apt's, with these lists.
    pub fn command<'a>(&self, sh: &'a Shell, program: &str) -> Cmd<'a> {
        command(sh, program).args(options(&self.dir))
    }

    /// Whether they were got so lately that they need not be got anew.
    pub fn are_of_today(&self) -> bool {
        self.age().is_some_and(|age| age < FRESH)
    }

    /// Whether they are of these sources, lines of apt's configuration.
    pub fn are_of(&self, sources: &str) -> bool {
        fs::read_to_string(self.sources_file()).is_ok_and(|old| old == sources)
    }

    fn sources_file(&self) -> PathBuf {
        self.dir.join("sources.list")
    }

    /// Touched by every update.
    fn updated(&self) -> PathBuf {
        self.dir.join("updated")
    }

    fn age(&self) -> Option<Duration> {
        let changed = fs::metadata(self.updated()).ok()?.modified().ok()?;
        SystemTime::now().duration_since(changed).ok()
    }

    /// Gets those of these sources.
    pub fn update(&self, sources: &str) -> Result<()> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            let folder = self.dir.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        if !self.are_of(sources) {
            // those that are there are of others; that there are none is no harm
            let _ = fs::remove_file(self.updated());
        }
        let file = self.sources_file();
        fs::write(&file, sources).with_context(|| format!("cannot write {}", file.display()))?;
        let sh = shell_in("/")?;
        let cmd = self.command(&sh, "apt-get");
        command::output(cmd.args(["--quiet", "--error-on=any", "update"]))
            .with_context(|| format!("cannot get the lists of {}", self.what))?;
        let updated = self.updated();
        File::create(&updated)
            .and_then(|file| file.set_modified(SystemTime::now()))
            .with_context(|| format!("cannot write {}", updated.display()))
    }
}

/// What makes apt read the lists in `dir` and nothing of the machine's.
fn options(dir: &Path) -> Vec<String> {
    let dir = dir.display();
    [
        format!("Dir::Etc::SourceList={dir}/sources.list"),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("Dir::State::Lists={dir}/lists"),
        format!("Dir::Cache={dir}/cache"),
        "Acquire::Languages=none".to_owned(),
    ]
    .into_iter()
    .flat_map(|option| ["-o".to_owned(), option])
    .collect()
}

/// The one source of a suite's lists.
fn line(suite: &str) -> Result<String> {
    Ok(format!("deb {} {suite} main\n", mirror()?))
}

/// Where the machine gets Debian from.
fn mirror() -> Result<String> {
    let sh = shell_in("/")?;
    let ask = || {
        let cmd = command(&sh, "apt-get").args(["indextargets", "--format", "$(REPO_URI)"]);
        command::output(cmd.args(["Origin: Debian", "Label: Debian", "Created-By: Packages"]))
    };
    let mut said = ask()?;
    // on a new machine apt has not read yet whose its sources are
    if said.trim().is_empty() && apt::can_install() {
        apt::update()?;
        said = ask()?;
    }
    first_line(&said).context(
        "apt knows no mirror of Debian; run `apt-get update`, and see that its sources hold one",
    )
}

fn first_line(text: &str) -> Option<String> {
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_ones_own_leave_the_machines_alone() {
        let options = options(Path::new("/x/apt/s"));
        assert!(options.contains(&"Dir::Etc::SourceParts=/dev/null".to_owned()));
        let paths = options
            .iter()
            .filter(|option| option.contains("=/x/apt/s/"));
        assert_eq!(paths.count(), 3, "{options:?}");
    }

    #[test]
    fn lists_are_of_today_and_of_the_sources_that_they_were_got_for() {
        let dir = tempfile::tempdir().unwrap();
        let own = Own {
            what: String::new(),
            dir: dir.path().to_owned(),
            _lock: lock::take(
                &dir.path().join("lock"),
                crate::env::progress::Progress::Silent,
            )
            .unwrap(),
        };
        assert!(!own.are_of_today() && !own.are_of("deb a\n"));
        fs::write(own.sources_file(), "deb a\n").unwrap();
        let touch = |ago: Duration| {
            let time = SystemTime::now() - ago;
            File::create(own.updated())
                .and_then(|file| file.set_modified(time))
                .unwrap();
        };
        touch(Duration::ZERO);
        assert!(own.are_of_today() && own.are_of("deb a\n") && !own.are_of("deb b\n"));
        touch(FRESH + Duration::from_secs(1));
        assert!(!own.are_of_today());
    }

    #[test]
    fn the_first_mirror_is_taken() {
        assert_eq!(
            first_line("http://a/\nhttp://a/\n").as_deref(),
            Some("http://a/")
        );
        assert_eq!(first_line("\n"), None);
        assert_eq!(first_line(""), None);
    }
}
