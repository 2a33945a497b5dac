// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Splits the bytes of the guest's channel into lines.

use super::RawLine;

/// Limit for the bytes of a run: the longest stream has 64 MiB, and base64 adds a third.
pub const MAX_BYTES: usize = 256 << 20;

/// Splits received bytes into lines.
#[derive(Debug, Default)]
pub struct LineBuffer {
    unfinished: Vec<u8>,
    received: usize,
}

impl LineBuffer {
    /// Adds bytes; returns the lines that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<RawLine> {
        self.received += bytes.len();
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                lines.push(RawLine(std::mem::take(&mut self.unfinished)));
            }
        }
        lines
    }

    /// The bytes after the last newline, if there are any.
    pub fn rest(self) -> Option<RawLine> {
        (!self.unfinished.is_empty()).then_some(RawLine(self.unfinished))
    }

    /// Whether more than [`MAX_BYTES`] were received.
    pub fn is_flooded(&self) -> bool {
        self.received > MAX_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_do_not_depend_on_the_size_of_the_reads() {
        let text = b"one\n\n\xff\0two\nthree";
        let whole: Vec<RawLine> = [&b"one\n"[..], b"\n", b"\xff\0two\n"]
            .map(|line| RawLine(line.to_vec()))
            .into();
        for size in 1..=text.len() {
            let mut lines = LineBuffer::default();
            let out: Vec<RawLine> = text
                .chunks(size)
                .flat_map(|chunk| lines.push(chunk))
                .collect();
            assert_eq!(out, whole, "in pieces of {size}");
            assert_eq!(lines.rest(), Some(RawLine(b"three".to_vec())));
        }
    }

    #[test]
    fn nothing_remains_after_a_newline() {
        let mut lines = LineBuffer::default();
        assert_eq!(lines.push(b"one\n").len(), 1);
        assert_eq!(lines.rest(), None);
    }
}
