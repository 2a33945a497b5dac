// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The loopback device, and packets that pass through it.

use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, bail, ensure};

const NAME: &std::ffi::CStr = c"lo";

/// Brings the device up. Dropping it restores the device's flags.
pub struct Loopback {
    index: i32,
    /// A socket for ioctls on devices.
    socket: UdpSocket,
    /// The device's flags before the test.
    flags: libc::c_short,
}

impl Loopback {
    /// Brings the device up.
    pub fn up() -> Result<Loopback> {
        // SAFETY: a C string.
        let index = unsafe { libc::if_nametoindex(NAME.as_ptr()) };
        ensure!(index > 0, "the loopback device is missing");
        let socket = UdpSocket::bind("0.0.0.0:0").context("cannot open a socket")?;
        let mut request = request();
        ioctl(&socket, libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: the ioctl above has set this member.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        let loopback = Loopback {
            index: i32::try_from(index)?,
            socket,
            flags,
        };
        loopback.set(flags | libc::IFF_UP as libc::c_short)?;
        Ok(loopback)
    }

    /// The device's index.
    pub fn index(&self) -> i32 {
        self.index
    }

    fn set(&self, flags: libc::c_short) -> Result<()> {
        let mut request = request();
        request.ifr_ifru.ifru_flags = flags;
        ioctl(&self.socket, libc::SIOCSIFFLAGS, &mut request)
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        if let Err(error) = self.set(self.flags) {
            eprintln!("bpf-streams-guest: cannot restore the loopback device: {error:#}");
        }
    }
}

fn request() -> libc::ifreq {
    // SAFETY: bytes and numbers; zeros are valid values.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(NAME.to_bytes()) {
        *to = *from as libc::c_char;
    }
    request
}

fn ioctl(socket: &UdpSocket, what: libc::Ioctl, request: &mut libc::ifreq) -> Result<()> {
    // SAFETY: these ioctls read and write a `struct ifreq`.
    let ret = unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw mut *request) };
    ensure!(
        ret == 0,
        "the loopback device: {}",
        io::Error::last_os_error()
    );
    Ok(())
}

/// A pair of UDP sockets.
pub struct Packets {
    from: UdpSocket,
    to: UdpSocket,
    address: SocketAddr,
}

impl Packets {
    /// Opens the sockets.
    pub fn new() -> Result<Packets> {
        let socket = || UdpSocket::bind("127.0.0.1:0").context("cannot open a socket");
        let (from, to) = (socket()?, socket()?);
        // a full buffer is no error, but must not block the sender
        from.set_nonblocking(true)?;
        to.set_nonblocking(true)?;
        let address = to.local_addr()?;
        Ok(Packets { from, to, address })
    }

    /// Sends one packet and receives one.
    pub fn send(&self) -> Result<()> {
        for result in [
            self.from.send_to(b"packet", self.address),
            self.to.recv(&mut [0; 8]),
        ] {
            match result {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    bail!("cannot send or receive a packet: {error}")
                }
                _ => {}
            }
        }
        Ok(())
    }
}
