// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The events of a running guest, sent to one queue by one thread per source.

use std::io::{ErrorKind, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::Sender;
use std::thread;

use anyhow::{Context as _, Result};

/// An event of a running guest.
#[derive(Debug)]
pub enum VmEvent {
    /// QEMU has connected to this port; the stream writes to it.
    Connected(Port, UnixStream),
    /// Received bytes.
    Bytes(Port, Vec<u8>),
    /// The port is closed.
    Closed(Port),
    /// virtme-ng has exited.
    Exited(ExitStatus),
    /// The guest, which waits for a test, may ask the dispatcher again.
    AskAgain,
}

/// The source of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The agent.
    Channel,
    /// QEMU's monitor.
    Qmp,
    /// The guest's console, and QEMU's standard error.
    Console,
}

/// Listens on `socket`, waits for QEMU to connect, then reads. The socket exists before QEMU starts.
pub fn listen(port: Port, socket: &Path, queue: Sender<VmEvent>) -> Result<()> {
    let listener = UnixListener::bind(socket)
        .with_context(|| format!("cannot create the socket {}", socket.display()))?;
    thread::spawn(move || {
        // a peer that has disconnected is reported as a closed port
        if let Ok((stream, _)) = listener.accept()
            && let Ok(writer) = stream.try_clone()
        {
            let _ = queue.send(VmEvent::Connected(port, writer));
            return pump(port, stream, &queue);
        }
        let _ = queue.send(VmEvent::Closed(port));
    });
    Ok(())
}

/// Ends a thread that waits for a connection that QEMU will not make.
pub fn give_up(socket: &Path) {
    drop(UnixStream::connect(socket));
}

/// Reads until the end.
pub fn read(port: Port, from: impl Read + Send + 'static, queue: Sender<VmEvent>) {
    thread::spawn(move || pump(port, from, &queue));
}

/// Waits for the process to exit.
pub fn wait(mut child: Child, queue: Sender<VmEvent>) {
    thread::spawn(move || {
        // fails only if the child has already been waited for
        if let Ok(status) = child.wait() {
            let _ = queue.send(VmEvent::Exited(status));
        }
    });
}

fn pump(port: Port, mut from: impl Read, queue: &Sender<VmEvent>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            // an error means that the receiver is gone
            Ok(count) => {
                let bytes = buffer[..count].to_vec();
                if queue.send(VmEvent::Bytes(port, bytes)).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // the peer died; everything it wrote has been read
            Err(_) => break,
        }
    }
    let _ = queue.send(VmEvent::Closed(port));
}
