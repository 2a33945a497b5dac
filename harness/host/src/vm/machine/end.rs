// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! How a guest ended, as far as can be known without judging it.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use super::timeouts::Stage;
use crate::env::progress::seconds;

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HowEnded {
    /// The guest powered itself off, as it does after a whole run.
    PoweredOff,
    /// The guest wanted to boot again, as it does after a panic.
    Reset,
    /// QEMU ended without a word: it was killed, it died, or it never came up.
    QemuGone {
        /// How virtme-ng ended.
        status: ExitStatus,
    },
    /// A stage took too long, and the guest was killed.
    TimedOut {
        /// The stage.
        stage: Stage,
        /// How long it may take.
        after: Duration,
    },
    /// The guest wrote more than any run can have to say, and was killed.
    Flooded {
        /// How much that is.
        bytes: usize,
    },
}

impl HowEnded {
    /// Why the guest did not end by itself, for who is to be told; `None` where it did.
    ///
    /// A guest that reset itself did so of its own accord: its console says why.
    #[must_use]
    pub fn stopped(&self) -> Option<String> {
        match self {
            HowEnded::PoweredOff => None,
            other => Some(other.to_string()),
        }
    }
}

impl fmt::Display for HowEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HowEnded::PoweredOff => f.write_str("it powered itself off"),
            HowEnded::Reset => f.write_str("it reset itself, as the kernel does after a panic"),
            HowEnded::QemuGone { status } => {
                write!(
                    f,
                    "QEMU was killed, died or never started (virtme-ng: {status})"
                )
            }
            HowEnded::TimedOut { stage, after } => {
                write!(
                    f,
                    "it said nothing for {} {stage}, and was killed",
                    seconds(*after)
                )
            }
            HowEnded::Flooded { bytes } => {
                write!(
                    f,
                    "it wrote more than {bytes} bytes to the channel, and was killed"
                )
            }
        }
    }
}
