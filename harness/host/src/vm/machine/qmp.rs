// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! QEMU's monitor (QMP): version, reason of the shutdown, and NMIs.

use std::io::Write;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// A message of QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QmpMessage {
    /// The greeting, with the version.
    Version(String),
    /// The guest shuts down, with QEMU's reason.
    Shutdown(String),
    /// The NMI was injected.
    Injected,
    /// The NMI was refused, with the reason.
    Refused(String),
    /// Any other message.
    Other,
}

/// Id of the command that injects an NMI, to identify its answer.
const NMI: &str = "nmi";

/// Parses a line.
pub fn parse(line: &[u8]) -> QmpMessage {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return QmpMessage::Other;
    };
    if let Some(version) = value.pointer("/QMP/version/qemu") {
        let part = |name: &str| version.get(name).and_then(Value::as_u64).unwrap_or(0);
        return QmpMessage::Version(format!(
            "{}.{}.{}",
            part("major"),
            part("minor"),
            part("micro")
        ));
    }
    if value.get("event").is_some_and(|event| event == "SHUTDOWN") {
        let reason = value.pointer("/data/reason").and_then(Value::as_str);
        return QmpMessage::Shutdown(reason.unwrap_or("unknown").to_owned());
    }
    if value.get("id").is_none_or(|id| id != NMI) {
        return QmpMessage::Other;
    }
    match value.pointer("/error/desc").and_then(Value::as_str) {
        Some(error) => QmpMessage::Refused(error.to_owned()),
        None if value.get("return").is_some() => QmpMessage::Injected,
        None => QmpMessage::Other,
    }
}

/// Leaves negotiation mode, in which the monitor accepts no other command.
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
    fn messages_of_qemu_are_parsed() {
        let greeting = br#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7},
            "package": "Debian"}, "capabilities": ["oob"]}}"#;
        assert_eq!(parse(greeting), QmpMessage::Version("7.2.22".into()));
        let shutdown = br#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN",
            "data": {"guest": true, "reason": "guest-reset"}}"#;
        assert_eq!(parse(shutdown), QmpMessage::Shutdown("guest-reset".into()));
        let error = br#"{"id": "nmi", "error": {"class": "CommandNotFound", "desc": "no such"}}"#;
        assert_eq!(parse(error), QmpMessage::Refused("no such".into()));
        assert_eq!(
            parse(br#"{"return": {}, "id": "nmi"}"#),
            QmpMessage::Injected
        );
        let of_another_command = br#"{"return": {}}"#;
        for other in [
            &of_another_command[..],
            br#"{"event": "RESUME"}"#,
            b"",
            b"\xff",
        ] {
            assert_eq!(parse(other), QmpMessage::Other);
        }
    }
}
