// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program `drain` and the reader of its ring buffer.

use std::cell::RefCell;
use std::os::fd::AsFd;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use libbpf_rs::{Program, ProgramMut, RingBuffer, RingBufferBuilder};

use crate::load::Loaded;
use crate::prog_run;
use crate::stream::Stream;

/// The program's `struct drain_request`.
#[repr(C)]
#[derive(Clone, Copy)]
struct DrainRequest {
    program: u32,
    stream: u32,
    /// Maximum number of elements.
    most: u32,
    /// Bytes that were passed on.
    bytes: u32,
}

/// Reads the streams of the test's own program.
pub struct Drain<'a> {
    program: ProgramMut<'a>,
    ring: RingBuffer<'a>,
    passed_on: Rc<RefCell<Vec<u8>>>,
    of: u32,
}

impl<'a> Drain<'a> {
    /// Opens the ring buffer.
    pub fn of(loaded: &'a Loaded) -> Result<Drain<'a>> {
        let passed_on = Rc::new(RefCell::new(Vec::new()));
        let texts = loaded.map("texts")?;
        let mut builder = RingBufferBuilder::new();
        let into = Rc::clone(&passed_on);
        builder
            .add(&texts, move |text| {
                into.borrow_mut().extend_from_slice(text);
                0
            })
            .context("cannot open the ring buffer")?;
        Ok(Drain {
            program: loaded.other("drain")?,
            ring: builder.build().context("cannot open the ring buffer")?,
            passed_on,
            of: Program::id_from_fd(loaded.program()?.as_fd())
                .context("cannot get the program's id")?,
        })
    }

    /// Reads at most `most` elements; returns their text as received through the ring buffer.
    pub fn take(&self, stream: Stream, most: u32) -> Result<Vec<u8>> {
        let mut request = DrainRequest {
            program: self.of,
            stream: stream as u32,
            most,
            bytes: 0,
        };
        let returned = prog_run::run_fd_with(self.program.as_fd(), &mut request)?;
        ensure!(returned >= 0, "the program `drain` returned {returned}");
        self.ring.consume().context("cannot read the ring buffer")?;
        let text = self.passed_on.take();
        ensure!(
            text.len() == request.bytes as usize,
            "{} bytes were passed on, {} were received",
            request.bytes,
            text.len()
        );
        Ok(text)
    }
}
