// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! All that can happen while a guest runs, brought together in one queue by a thread each.

use std::io::{ErrorKind, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::Sender;
use std::thread;

use anyhow::{Context as _, Result};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// QEMU has connected this port; what is written to it goes to the other side.
    Connected(Port, UnixStream),
    /// These bytes came.
    Bytes(Port, Vec<u8>),
    /// No more will come.
    Closed(Port),
    /// virtme-ng is over.
    Exited(ExitStatus),
}

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The agent.
    Channel,
    /// QEMU's monitor.
    Qmp,
    /// The guest's console, and QEMU's standard error.
    Console,
}

/// Waits for QEMU to connect to this socket, then reads what it sends.
///
/// The socket is there before QEMU is started, so that nobody has to wait for a file to appear.
pub fn listen(port: Port, socket: &Path, queue: Sender<Event>) -> Result<()> {
    let listener = UnixListener::bind(socket)
        .with_context(|| format!("cannot make the socket {}", socket.display()))?;
    thread::spawn(move || {
        // a peer that is gone again is told as a port that is closed
        if let Ok((stream, _)) = listener.accept()
            && let Ok(writer) = stream.try_clone()
        {
            let _ = queue.send(Event::Connected(port, writer));
            return pump(port, stream, &queue);
        }
        let _ = queue.send(Event::Closed(port));
    });
    Ok(())
}

/// Lets go of a thread that still waits for QEMU, when QEMU will not come any more.
pub fn give_up(socket: &Path) {
    drop(UnixStream::connect(socket));
}

/// Reads to the end.
pub fn read(port: Port, from: impl Read + Send + 'static, queue: Sender<Event>) {
    thread::spawn(move || pump(port, from, &queue));
}

/// Waits for the process.
pub fn wait(mut child: Child, queue: Sender<Event>) {
    thread::spawn(move || {
        // fails only for a child that somebody else waited for
        if let Ok(status) = child.wait() {
            let _ = queue.send(Event::Exited(status));
        }
    });
}

fn pump(port: Port, mut from: impl Read, queue: &Sender<Event>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            // who received the queue is gone: nobody wants to know
            Ok(count) => {
                let bytes = buffer[..count].to_vec();
                if queue.send(Event::Bytes(port, bytes)).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // a peer that died; what it wrote before has been read
            Err(_) => break,
        }
    }
    let _ = queue.send(Event::Closed(port));
}
