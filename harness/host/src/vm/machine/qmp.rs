// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! QEMU's monitor: its greeting, its last word, and NMIs.

use std::io::Write;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What QEMU says over its monitor, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The greeting, with the version.
    Version(String),
    /// The guest is about to go, for this reason of QEMU's list.
    Shutdown(String),
    /// The NMI was injected.
    Injected,
    /// The NMI was refused, for this reason.
    Refused(String),
    /// Anything else.
    Other,
}

/// Goes with the command that injects an NMI and comes back with its answer, which may come right
/// behind that of another command.
const NMI: &str = "nmi";

/// Understands a line.
pub fn understand(line: &[u8]) -> Said {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return Said::Other;
    };
    if let Some(version) = value.pointer("/QMP/version/qemu") {
        let part = |name: &str| version.get(name).and_then(Value::as_u64).unwrap_or(0);
        return Said::Version(format!(
            "{}.{}.{}",
            part("major"),
            part("minor"),
            part("micro")
        ));
    }
    if value.get("event").is_some_and(|event| event == "SHUTDOWN") {
        let reason = value.pointer("/data/reason").and_then(Value::as_str);
        return Said::Shutdown(reason.unwrap_or("unknown").to_owned());
    }
    if value.get("id").is_none_or(|id| id != NMI) {
        return Said::Other;
    }
    match value.pointer("/error/desc").and_then(Value::as_str) {
        Some(error) => Said::Refused(error.to_owned()),
        None if value.get("return").is_some() => Said::Injected,
        None => Said::Other,
    }
}

/// Lets the monitor take commands; nothing else is understood before this.
pub fn begin(monitor: &mut UnixStream) -> Result<()> {
    command(monitor, &json!({ "execute": "qmp_capabilities" }))
}

/// Sends an NMI to every CPU of the guest.
pub fn inject_nmi(monitor: &mut UnixStream) -> Result<()> {
    command(monitor, &json!({ "execute": "inject-nmi", "id": NMI }))
}

fn command(monitor: &mut UnixStream, command: &Value) -> Result<()> {
    writeln!(monitor, "{command}")
        .with_context(|| format!("cannot send {command} to QEMU's monitor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_qemu_says_is_understood() {
        let greeting = br#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7},
            "package": "Debian"}, "capabilities": ["oob"]}}"#;
        assert_eq!(understand(greeting), Said::Version("7.2.22".into()));
        let shutdown = br#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN",
            "data": {"guest": true, "reason": "guest-reset"}}"#;
        assert_eq!(understand(shutdown), Said::Shutdown("guest-reset".into()));
        let error = br#"{"id": "nmi", "error": {"class": "CommandNotFound", "desc": "no such"}}"#;
        assert_eq!(understand(error), Said::Refused("no such".into()));
        assert_eq!(
            understand(br#"{"return": {}, "id": "nmi"}"#),
            Said::Injected
        );
        let of_another_command = br#"{"return": {}}"#;
        for other in [
            &of_another_command[..],
            br#"{"event": "RESUME"}"#,
            b"",
            b"\xff",
        ] {
            assert_eq!(understand(other), Said::Other);
        }
    }
}
