// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The guest's end of the channel: one virtio-serial port, one JSON object per line.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wire::{FromGuest, FromHost, PORT, Request};

const PORTS: &str = "/sys/class/virtio-ports";

/// The guest's end of the channel.
pub struct Channel {
    port: BufReader<File>,
}

impl Channel {
    /// Opens the port named [`PORT`].
    pub fn open() -> Result<Channel> {
        let device = find_port()?;
        let port = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&device)
            .with_context(|| format!("cannot open the port {}", device.display()))?;
        Ok(Channel {
            port: BufReader::new(port),
        })
    }

    /// Writes one line. Returns when the host has read it.
    pub fn send(&mut self, message: &FromGuest) -> Result<()> {
        let mut line = serde_json::to_vec(message).context("cannot encode a line")?;
        line.push(b'\n');
        self.port
            .get_mut()
            .write_all(&line)
            .context("cannot write to the channel")
    }

    /// Sends a request to the host and waits for the answer.
    pub fn request(&mut self, request: Request) -> Result<()> {
        self.send(&FromGuest::Request { request })?;
        match self.receive()? {
            FromHost::Done => Ok(()),
            FromHost::Refused { reason } => bail!("the host rejected {request:?}: {reason}"),
            other => bail!("the host answered {request:?} with {other:?}"),
        }
    }

    /// Waits for the name of the next test; `None` if there is no further one for this guest.
    pub fn next_test(&mut self) -> Result<Option<String>> {
        match self.receive()? {
            FromHost::Run { test } => Ok(Some(test)),
            FromHost::Finish => Ok(None),
            other => bail!("the host sent {other:?} instead of the next test"),
        }
    }

    fn receive(&mut self) -> Result<FromHost> {
        let mut line = String::new();
        self.port
            .read_line(&mut line)
            .context("cannot read a line of the host")?;
        serde_json::from_str(&line).with_context(|| format!("invalid line {line:?} of the host"))
    }
}

/// The device of the port named [`PORT`]. Without udev only sysfs has the names.
fn find_port() -> Result<PathBuf> {
    let entries = fs::read_dir(PORTS).with_context(|| {
        format!("cannot list {PORTS}: does the kernel have CONFIG_VIRTIO_CONSOLE?")
    })?;
    let mut others = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {PORTS}"))?;
        // a port without a name has an empty `name` file, or none
        let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if name.trim_end() == PORT {
            return Ok(Path::new("/dev").join(entry.file_name()));
        }
        others.push(name.trim_end().to_owned());
    }
    bail!("no virtio-serial port is named {PORT}; found {others:?}")
}
