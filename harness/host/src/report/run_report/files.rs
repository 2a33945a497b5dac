// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The files of a run in `build/<base>/<arch>/last/`.
//!
//! A run writes into a folder of its own; the link `last` is then switched to it atomically. So `last`
//! is always one complete run, even with concurrent runs.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use fs_err as fs;
use tempfile::TempDir;
use wire::Outcome;

use super::{Report, events};
use crate::env::atomic;
use crate::vm::machine::Times;

/// Lines of the console in the report of a failed run.
pub const CONSOLE_LINES: usize = 200;

const PREFIX: &str = "run-";
/// Age after which a folder that is not `last` belongs to a killed run.
const ABANDONED: Duration = Duration::from_secs(6 * 60 * 60);

/// The time of each test in this and earlier runs.
const TIMES: &str = "times.json";

/// The folder of one run; removed on drop, unless published.
#[derive(Debug)]
pub struct RunFolder {
    dir: TempDir,
    build: PathBuf,
}

impl RunFolder {
    /// A new folder in `build`, which is created if it is missing.
    ///
    /// # Errors
    ///
    /// Where it cannot be created.
    pub fn create(build: &Path) -> Result<Self> {
        fs::create_dir_all(build)?;
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(build)
            .with_context(|| {
                format!("cannot create a folder for the run in {}", build.display())
            })?;
        Ok(Self {
            dir,
            build: build.to_owned(),
        })
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes this run `last` and removes the previous one.
    ///
    /// # Errors
    ///
    /// Where the link cannot be written.
    pub fn publish(self) -> Result<PathBuf> {
        let link = self.build.join("last");
        let before = fs::read_link(&link).ok();
        let target = self
            .dir
            .path()
            .file_name()
            .map(PathBuf::from)
            .unwrap_or_default();
        atomic::symlink(&target, &link)?;
        let _kept = self.dir.keep();
        if let Some(before) = before {
            remove(&self.build.join(before))?;
        }
        remove_abandoned(&self.build, &target)?;
        Ok(link)
    }
}

fn remove_abandoned(build: &Path, last: &Path) -> Result<()> {
    let now = SystemTime::now();
    for entry in fs::read_dir(build)?.flatten() {
        let of_a_run =
            entry.file_name().to_string_lossy().starts_with(PREFIX) && entry.file_name() != last;
        let age = entry
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|time| now.duration_since(time).ok());
        if of_a_run && age.is_some_and(|age| age > ABANDONED) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder that another run may have removed meanwhile.
fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The received bytes of a guest, and the folder for them.
#[derive(Clone, Debug)]
pub struct GuestFiles<'a> {
    /// The folder of the run, or one in it for each of several guests.
    pub folder: PathBuf,
    /// The lines of the channel.
    pub lines: Vec<&'a [u8]>,
    /// The console.
    pub console: &'a [u8],
}

/// Writes the lines of the guests, the raw streams, the environment and the times of a run into `dir`.
/// `console` has the last lines of the console.
///
/// # Errors
///
/// Where a file cannot be written.
pub fn write_files(
    dir: &Path,
    guests: &[GuestFiles<'_>],
    console: &[String],
    report: &Report,
) -> Result<()> {
    for guest in guests {
        write(&guest.folder.join("console.log"), guest.console)?;
        write(
            &guest.folder.join("events.jsonl"),
            &events::of(&guest.lines, report)?,
        )?;
    }
    write(
        &dir.join("stages.json"),
        &serde_json::to_vec_pretty(&report.stages)?,
    )?;
    write(
        &dir.join(TIMES),
        &serde_json::to_vec_pretty(&times(report))?,
    )?;
    write(
        &dir.join("environment.json"),
        &serde_json::to_vec_pretty(&report.environment)?,
    )?;
    write(
        &dir.join("result.json"),
        &serde_json::to_vec_pretty(&report.result(console))?,
    )?;
    let streams = dir.join("streams");
    fs::create_dir_all(&streams)?;
    for test in report.tests.iter().filter_map(|test| test.report.as_ref()) {
        // The name comes from the guest; a slash must not lead out of the folder.
        let name = test.test.replace('/', "_");
        write(&streams.join(format!("{name}.stdout")), &test.stdout.0)?;
        write(&streams.join(format!("{name}.stderr")), &test.stderr.0)?;
        if let Outcome::Rejected { log, .. } = &test.outcome {
            write(&streams.join(format!("{name}.verifier")), log.as_bytes())?;
        }
    }
    Ok(())
}

/// How long each test took in the last runs that kept their files in `build`. Empty if there was none.
#[must_use]
pub fn last_times(build: &Path) -> Times {
    // without the times, tests run in announced order
    fs::read(build.join("last").join(TIMES))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// The times of earlier runs, replaced by those of this run; a run without a selection has all tests.
fn times(report: &Report) -> Times {
    let mut times = match report.environment.selection {
        Some(_) => report.earlier_times.clone(),
        None => Times::new(),
    };
    times.extend(
        report
            .tests
            .iter()
            .filter_map(|test| test.report.as_ref())
            .map(|report| (report.test.clone(), report.micros)),
    );
    times
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(path, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::names;

    #[test]
    fn last_is_always_one_complete_run() {
        let build = tempfile::tempdir().unwrap();
        let (one, two) = (
            RunFolder::create(build.path()).unwrap(),
            RunFolder::create(build.path()).unwrap(),
        );
        write(&one.path().join("console.log"), b"one").unwrap();
        write(&two.path().join("console.log"), b"two").unwrap();
        let last = one.publish().unwrap();
        assert_eq!(fs::read(last.join("console.log")).unwrap(), b"one");
        let last = two.publish().unwrap();
        assert_eq!(fs::read(last.join("console.log")).unwrap(), b"two");
        assert_eq!(names(build.path()).len(), 2, "{:?}", names(build.path()));
    }

    #[test]
    fn an_aborted_run_leaves_no_folder_and_keeps_last() {
        let build = tempfile::tempdir().unwrap();
        let good = RunFolder::create(build.path()).unwrap();
        let last = good.publish().unwrap();
        drop(RunFolder::create(build.path()).unwrap());
        assert!(last.is_dir());
        assert_eq!(names(build.path()).len(), 2);
    }
}
