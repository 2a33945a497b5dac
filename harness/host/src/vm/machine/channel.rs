// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The host's end of the channel: bytes in, lines out.

use super::RawLine;

/// More than any run has to say: the longest stream is 64 MiB, and base64 makes a third more of it.
pub const MOST_BYTES: usize = 256 << 20;

/// Cuts what is received into lines.
#[derive(Debug, Default)]
pub struct Lines {
    unfinished: Vec<u8>,
    received: usize,
}

impl Lines {
    /// Takes bytes in; gives the lines that they finish.
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

    /// What was received after the last newline, if anything was.
    pub fn rest(self) -> Option<RawLine> {
        (!self.unfinished.is_empty()).then_some(RawLine(self.unfinished))
    }

    /// Whether more came than any run has to say.
    pub fn is_flooded(&self) -> bool {
        self.received > MOST_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_as_they_went_in_however_they_were_cut() {
        let text = b"one\n\n\xff\0two\nthree";
        let whole: Vec<RawLine> = [&b"one\n"[..], b"\n", b"\xff\0two\n"]
            .map(|line| RawLine(line.to_vec()))
            .into();
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let out: Vec<RawLine> = text
                .chunks(size)
                .flat_map(|chunk| lines.push(chunk))
                .collect();
            assert_eq!(out, whole, "in pieces of {size}");
            assert_eq!(lines.rest(), Some(RawLine(b"three".to_vec())));
        }
    }

    #[test]
    fn nothing_is_left_after_a_newline() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\n").len(), 1);
        assert_eq!(lines.rest(), None);
    }
}
