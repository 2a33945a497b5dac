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
    /// A command was carried out.
    Return,
    /// A command was refused.
    Error(String),
    /// Anything else.
    Other,
}

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
    match value.pointer("/error/desc").and_then(Value::as_str) {
        Some(error) => Said::Error(error.to_owned()),
        None if value.get("return").is_some() => Said::Return,
        None => Said::Other,
    }
}

/// Lets the monitor take commands; nothing else is understood before this.
pub fn begin(monitor: &mut UnixStream) -> Result<()> {
    command(monitor, "qmp_capabilities")
}

/// Sends an NMI to every CPU of the guest.
pub fn inject_nmi(monitor: &mut UnixStream) -> Result<()> {
    command(monitor, "inject-nmi")
}

fn command(monitor: &mut UnixStream, name: &str) -> Result<()> {
    writeln!(monitor, "{}", json!({ "execute": name }))
        .with_context(|| format!("cannot send {name} to QEMU's monitor"))
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
        let error = br#"{"error": {"class": "CommandNotFound", "desc": "no such command"}}"#;
        assert_eq!(understand(error), Said::Error("no such command".into()));
        assert_eq!(understand(br#"{"return": {}}"#), Said::Return);
        for other in [&br#"{"event": "RESUME"}"#[..], b"", b"\xff"] {
            assert_eq!(understand(other), Said::Other);
        }
    }
}
