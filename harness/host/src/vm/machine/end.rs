// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! How a guest ended.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use super::timeouts::Stage;
use crate::env::progress::seconds;

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HowEnded {
    /// The guest powered off, as after a complete run.
    PoweredOff,
    /// The guest rebooted, as after a panic.
    Reset,
    /// QEMU ended without a shutdown event: it was killed, crashed, or did not start.
    QemuGone {
        /// Exit status of virtme-ng.
        status: ExitStatus,
    },
    /// A stage exceeded its time limit, and the guest was killed.
    TimedOut {
        /// The stage.
        stage: Stage,
        /// The time limit.
        after: Duration,
    },
    /// The guest wrote too many bytes to the channel, and was killed.
    Flooded {
        /// The limit.
        bytes: usize,
    },
}

impl HowEnded {
    /// Why the run is not complete; `None` if the guest powered off.
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
            HowEnded::PoweredOff => f.write_str("it powered off"),
            HowEnded::Reset => f.write_str("it rebooted, as the kernel does after a panic"),
            HowEnded::QemuGone { status } => {
                write!(
                    f,
                    "QEMU was killed, crashed or did not start (virtme-ng: {status})"
                )
            }
            HowEnded::TimedOut { stage, after } => {
                write!(
                    f,
                    "it sent no line for {} {stage}, and was killed",
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
