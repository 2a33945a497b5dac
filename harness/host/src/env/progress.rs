// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Shows the stages of a task on standard error, with their progress and time.
//!
//! On a terminal a stage is one line, updated in place. In a log it is one line at the beginning and
//! one at the end, so that the log shows in which stage a run was killed.

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// One line per stage, updated in place.
    Terminal,
    /// A line at the beginning and at the end of each stage.
    Log,
    /// Nothing at all, for tests.
    Silent,
}

impl Progress {
    /// The choice for this process's standard error.
    pub fn detect() -> Progress {
        if std::io::stderr().is_terminal() {
            Progress::Terminal
        } else {
            Progress::Log
        }
    }

    /// Prints one line.
    pub fn note(self, text: impl Display) {
        if self != Progress::Silent {
            eprintln!("{:>9}  {text}", "note");
        }
    }

    /// Begins a stage. `name` is one word, `what` describes the work.
    pub fn stage(self, name: &'static str, what: impl Display) -> ProgressStage {
        let bar = match self {
            Progress::Terminal => spinner(name, &what.to_string()),
            Progress::Log => {
                eprintln!("{name:>9}  {what} …");
                ProgressBar::hidden()
            }
            Progress::Silent => ProgressBar::hidden(),
        };
        ProgressStage {
            progress: self,
            name,
            bar,
            begun: Instant::now(),
        }
    }
}

/// A stage in progress. Dropped without [`ProgressStage::done`], it prints no last line: the caller
/// prints the error that ended it.
#[derive(Debug)]
pub struct ProgressStage {
    progress: Progress,
    name: &'static str,
    bar: ProgressBar,
    begun: Instant,
}

impl ProgressStage {
    /// Updates the line on a terminal.
    pub fn update(&self, text: impl Display) {
        self.bar.set_message(text.to_string());
    }

    /// Time since the beginning of the stage.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends the stage and prints `text` and the time.
    pub fn done(self, text: impl Display) {
        self.bar.finish_and_clear();
        if self.progress != Progress::Silent {
            eprintln!("{:>9}  {text} ({})", self.name, seconds(self.elapsed()));
        }
    }
}

impl Drop for ProgressStage {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A rounded time: `0.4 s`, `12 s`, `5 min 02 s`.
pub(crate) fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    match whole {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{whole} s"),
        _ => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

fn spinner(name: &str, what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // the template is a constant; if it had a syntax error, the default style would be used
    if let Ok(style) = ProgressStyle::with_template("{prefix:>9}  {wide_msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_owned());
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded() {
        let text = |millis| seconds(Duration::from_millis(millis));
        assert_eq!(text(420), "0.4 s");
        assert_eq!(text(12_900), "12 s");
        assert_eq!(text(302_000), "5 min 02 s");
    }
}
