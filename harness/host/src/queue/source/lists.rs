// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The package lists that apt uses: the machine's own, or, for a suite that is not in the machine's
//! sources, lists in the cache. Both use the machine's mirror; apt's configuration is never changed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use fs_err as fs;
use xshell::{Cmd, Shell};

use crate::env::apt;
use crate::env::atomic;
use crate::env::command::{self, cmd, command, shell_in};
use crate::env::context::Context;
use crate::env::lock::{self, Lock};

/// The machine's package lists; only `apt-get update` changes this folder.
const MACHINE_LISTS: &str = "/var/lib/apt/lists";

/// Lists in the cache are updated after this time: a suite changes at most once a day.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Package lists: the machine's, or those of a suite.
#[derive(Debug)]
pub struct Lists(Option<(String, CachedLists)>);

/// Package lists in a folder of the cache, locked while in use: two apt processes cannot share them.
#[derive(Debug)]
pub struct CachedLists {
    /// Name of their source for messages.
    what: String,
    dir: PathBuf,
    _lock: Lock,
}

impl Lists {
    /// The lists of `suite`, or the machine's.
    pub fn of(ctx: &Context, suite: Option<&str>) -> Result<Lists> {
        let Some(suite) = suite else {
            return Ok(Lists(None));
        };
        let own = CachedLists::open(ctx, suite, format!("Debian's suite {suite}"))?;
        if !own.are_fresh() {
            match own.update(&line(suite)?) {
                // without a network the older lists are used
                Err(error) if own.age().is_some() => ctx.progress.note(format!(
                    "cannot update the package lists of {}; using older ones: {error:#}",
                    own.what
                )),
                result => result?,
            }
        }
        Ok(Lists(Some((suite.to_owned(), own))))
    }

    /// A program of apt that uses these lists.
    pub fn command<'a>(&self, sh: &'a Shell, program: &str) -> Cmd<'a> {
        match &self.0 {
            Some((_, own)) => own.command(sh, program),
            None => command(sh, program),
        }
    }

    /// The version of `package` that apt would install; `None` if the lists lack the package.
    pub fn candidate(&self, package: &str) -> Result<Option<String>> {
        let sh = shell_in("/")?;
        let policy = self.command(&sh, "apt-cache").args(["policy", package]);
        Ok(parse_candidate(&command::output(policy)?))
    }

    /// Time of the last update; identifies the contents.
    pub fn stamp(&self) -> u128 {
        let file = self
            .0
            .as_ref()
            .map_or_else(|| MACHINE_LISTS.into(), |(_, own)| own.updated());
        let changed = fs::metadata(file).and_then(|meta| meta.modified());
        let since = changed.map(|time| time.duration_since(UNIX_EPOCH).unwrap_or_default());
        since.unwrap_or_default().as_nanos()
    }

    /// Updates the lists if this process has the right to; returns whether it has.
    pub fn update(&self) -> Result<bool> {
        match &self.0 {
            Some((suite, own)) => own.update(&line(suite)?).map(|()| true),
            None if apt::can_install() => apt::update().map(|()| true),
            None => Ok(false),
        }
    }

    /// Advice for a package that the lists lack.
    pub fn advice(&self) -> String {
        match &self.0 {
            Some((_, own)) => format!(
                "check that {} still exists (`suite` in the base's base.json)",
                own.what
            ),
            None => {
                "run `apt-get update`, and check that apt's sources contain a Debian suite with that \
                     package (Debian 12 and its updates have it)"
                    .to_owned()
            }
        }
    }
}

impl CachedLists {
    /// The lists in the folder `name`.
    pub fn open(ctx: &Context, name: &str, what: String) -> Result<CachedLists> {
        let apt = ctx.cache_dir("apt")?;
        let lock = lock::take(&apt.join(format!("{name}.lock")), ctx.progress)?;
        Ok(CachedLists {
            what,
            dir: apt.join(name),
            _lock: lock,
        })
    }

    /// A program of apt that uses these lists.
    pub fn command<'a>(&self, sh: &'a Shell, program: &str) -> Cmd<'a> {
        command(sh, program).args(options(&self.dir))
    }

    /// Whether the last update is newer than [`MAX_AGE`].
    pub fn are_fresh(&self) -> bool {
        self.age().is_some_and(|age| age < MAX_AGE)
    }

    /// Whether the lists are those of `sources`, a sources.list.
    pub fn are_of(&self, sources: &str) -> bool {
        fs::read_to_string(self.sources_file()).is_ok_and(|old| old == sources)
    }

    fn sources_file(&self) -> PathBuf {
        self.dir.join("sources.list")
    }

    /// Its modification time is the time of the last update.
    fn updated(&self) -> PathBuf {
        self.dir.join("updated")
    }

    fn age(&self) -> Option<Duration> {
        let changed = fs::metadata(self.updated()).ok()?.modified().ok()?;
        SystemTime::now().duration_since(changed).ok()
    }

    /// Updates the lists from `sources`, a sources.list.
    pub fn update(&self, sources: &str) -> Result<()> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            let folder = self.dir.join(folder);
            fs::create_dir_all(&folder)?;
        }
        if !self.are_of(sources) {
            // the lists in the folder are those of other sources
            let _ = fs::remove_file(self.updated());
        }
        atomic::write(&self.sources_file(), sources)?;
        let sh = shell_in("/")?;
        let cmd = self.command(&sh, "apt-get");
        command::output(cmd.args(["--quiet", "--error-on=any", "update"]))
            .with_context(|| format!("cannot update the package lists of {}", self.what))?;
        Ok(fs::File::create(self.updated())?.set_modified(SystemTime::now())?)
    }
}

/// Options with which apt uses the lists in `dir` and not the machine's.
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

/// The sources.list of a suite.
fn line(suite: &str) -> Result<String> {
    Ok(format!("deb {} {suite} main\n", mirror()?))
}

/// The machine's mirror of Debian.
fn mirror() -> Result<String> {
    let sh = shell_in("/")?;
    let list = || {
        let format = "$(REPO_URI)";
        let filter = ["Origin: Debian", "Label: Debian", "Created-By: Packages"];
        command::output(cmd!(
            sh,
            "apt-get indextargets --format {format} {filter...}"
        ))
    };
    let mut mirrors = list()?;
    // without package lists apt does not know the origin of its sources
    if mirrors.trim().is_empty() && apt::can_install() {
        apt::update()?;
        mirrors = list()?;
    }
    first_line(&mirrors).context(
        "apt has no mirror of Debian; run `apt-get update`, and check that its sources contain one",
    )
}

fn parse_candidate(policy: &str) -> Option<String> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .map(str::to_owned)
}

fn first_line(text: &str) -> Option<String> {
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_lists_do_not_use_the_machines() {
        let options = options(Path::new("/x/apt/s"));
        assert!(options.contains(&"Dir::Etc::SourceParts=/dev/null".to_owned()));
        let paths = options
            .iter()
            .filter(|option| option.contains("=/x/apt/s/"));
        assert_eq!(paths.count(), 3, "{options:?}");
    }

    #[test]
    fn lists_are_fresh_for_a_day_and_belong_to_their_sources() {
        let dir = tempfile::tempdir().unwrap();
        let own = CachedLists {
            what: String::new(),
            dir: dir.path().to_owned(),
            _lock: lock::take(
                &dir.path().join("lock"),
                crate::env::progress::Progress::Silent,
            )
            .unwrap(),
        };
        assert!(!own.are_fresh() && !own.are_of("deb a\n"));
        fs::write(own.sources_file(), "deb a\n").unwrap();
        let touch = |ago: Duration| {
            let time = SystemTime::now() - ago;
            fs::File::create(own.updated())
                .and_then(|file| file.set_modified(time))
                .unwrap();
        };
        touch(Duration::ZERO);
        assert!(own.are_fresh() && own.are_of("deb a\n") && !own.are_of("deb b\n"));
        touch(MAX_AGE + Duration::from_secs(1));
        assert!(!own.are_fresh());
    }

    #[test]
    fn the_candidate_is_the_version_that_apt_would_install() {
        let policy = "linux-source-6.12:\n  Installed: (none)\n  Candidate: 6.12.117-1~deb12u1\n  \
                      Version table:\n     6.12.117-1~deb12u1 500\n";
        assert_eq!(
            parse_candidate(policy).as_deref(),
            Some("6.12.117-1~deb12u1")
        );
        assert_eq!(parse_candidate("x:\n  Candidate: (none)\n"), None);
        assert_eq!(parse_candidate(""), None);
    }

    #[test]
    fn the_first_mirror_is_used() {
        assert_eq!(
            first_line("http://a/\nhttp://a/\n").as_deref(),
            Some("http://a/")
        );
        assert_eq!(first_line("\n"), None);
        assert_eq!(first_line(""), None);
    }
}
