// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Tells what goes on, on standard error: which stage, how far, how long it took.
//!
//! On a terminal a stage is one line that moves and then stays with its time. Elsewhere it is one
//! line when it begins and one when it is over, so that a log shows where a run was cut.

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Where progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A line that moves.
    Terminal,
    /// A line for each beginning and each end.
    Log,
    /// Nothing at all, for tests.
    Silent,
}

impl Progress {
    /// What suits this process's standard error.
    pub fn detect() -> Progress {
        if std::io::stderr().is_terminal() {
            Progress::Terminal
        } else {
            Progress::Log
        }
    }

    /// One line that the user should see, whatever happens around it.
    pub fn note(self, text: impl Display) {
        if self != Progress::Silent {
            eprintln!("{:>9}  {text}", "note");
        }
    }

    /// Begins a stage that takes its time. `name` is one word, `what` says what is done.
    pub fn stage(self, name: &'static str, what: impl Display) -> Stage {
        let bar = match self {
            Progress::Terminal => spinner(name, &what.to_string()),
            Progress::Log => {
                eprintln!("{name:>9}  {what} …");
                ProgressBar::hidden()
            }
            Progress::Silent => ProgressBar::hidden(),
        };
        Stage {
            progress: self,
            name,
            bar,
            begun: Instant::now(),
        }
    }
}

/// A stage that is going on. Dropped without [`Stage::done`], it leaves no line: the error that
/// ended it is told by who gets it.
#[derive(Debug)]
pub struct Stage {
    progress: Progress,
    name: &'static str,
    bar: ProgressBar,
    begun: Instant,
}

impl Stage {
    /// Says how far the stage is; seen on a terminal only.
    pub fn update(&self, text: impl Display) {
        self.bar.set_message(text.to_string());
    }

    /// How long the stage has been going on.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends the stage with one line and its time.
    pub fn done(self, text: impl Display) {
        self.bar.finish_and_clear();
        if self.progress != Progress::Silent {
            eprintln!("{:>9}  {text} ({})", self.name, seconds(self.elapsed()));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A time as people read it: `0.4 s`, `12 s`, `5 min 02 s`.
pub fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    match whole {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{whole} s"),
        _ => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

fn spinner(name: &str, what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // the template is a constant, so only a typing error could make it fail: then the plain
    // spinner serves
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
    fn times_are_read_at_a_glance() {
        let text = |millis| seconds(Duration::from_millis(millis));
        assert_eq!(text(420), "0.4 s");
        assert_eq!(text(12_900), "12 s");
        assert_eq!(text(302_000), "5 min 02 s");
    }
}
