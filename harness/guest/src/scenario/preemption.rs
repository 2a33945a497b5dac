// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the program on a CPU that another thread needs regularly, and notes the number of printed
//! reports of each kind and place. The number of all reports depends on the duration of a stress
//! test, so it is checked and not noted.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{tally_reports, threads};
use crate::cpus;
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Minimum number of wake-ups of the other thread, which tries hundreds.
const MIN_WAKE_UPS: i64 = 20;
const PERIOD: Duration = Duration::from_millis(1);

/// One thread runs the program, one counts its wake-ups.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let running = AtomicBool::new(true);
    type Work<'a> = Box<dyn FnOnce() -> Result<i64> + Send + 'a>;
    let tasks: Vec<Work<'_>> = vec![
        Box::new(|| {
            let retval = cpus::stay_on(0).and_then(|()| prog_run::run_fd(fd));
            running.store(false, Ordering::Relaxed);
            retval
        }),
        Box::new(|| {
            cpus::stay_on(0)?;
            let mut wake_ups = 0;
            while running.load(Ordering::Relaxed) {
                thread::sleep(PERIOD);
                wake_ups += 1;
            }
            Ok(wake_ups)
        }),
    ];
    let results = threads::run_parallel(tasks)?;
    let (retval, wake_ups) = (results[0], results[1]);
    ensure!(
        wake_ups >= MIN_WAKE_UPS,
        "the other thread ran only {wake_ups} times"
    );
    ctx.note("another thread of its CPU went on meanwhile");
    let mut text = Vec::new();
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    Stream::Stderr.drain(fd, &mut text)?;
    let notes = tally_reports::tally(&text, &mut ctx.output.stderr)?;
    let notes = check_all(notes, u64::from(settings::reports()))?;
    ctx.output.notes.extend(notes);
    Ok(Some(retval))
}

/// Checks that the counts of printed and suppressed reports add up to `all`, and omits the count of the
/// suppressed ones.
fn check_all(notes: Vec<String>, all: u64) -> Result<Vec<String>> {
    let mut counted = 0;
    let mut without_counts = Vec::new();
    for note in notes {
        let (count, _) = note.split_once(' ').unwrap_or_default();
        counted += count
            .parse::<u64>()
            .with_context(|| format!("`{note}` does not begin with a count"))?;
        without_counts.push(match note.ends_with(" suppressed") {
            true => "all others suppressed".to_owned(),
            false => note,
        });
    }
    ensure!(
        counted == all,
        "{counted} reports were printed or suppressed; the program caused {all}"
    );
    Ok(without_counts)
}

#[cfg(test)]
mod tests {
    use super::check_all;

    #[test]
    fn printed_and_suppressed_reports_add_up() {
        let notes = || vec!["512 x stack in f".to_owned(), "88 suppressed".to_owned()];
        assert_eq!(
            check_all(notes(), 600).unwrap(),
            ["512 x stack in f", "all others suppressed"]
        );
        assert!(check_all(notes(), 601).is_err());
        assert!(check_all(vec!["some text".to_owned()], 0).is_err());
    }
}
