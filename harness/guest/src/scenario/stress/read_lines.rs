// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The set of lines that were read, by writer.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::super::lines;

/// The set of lines that one reader got, or all of them when merged.
#[derive(Default)]
pub struct ReadLines {
    writers: BTreeMap<u32, WriterLines>,
}

/// The lines of one writer, one bit per line.
#[derive(Default)]
struct WriterLines {
    words: Vec<u64>,
    last: Option<u32>,
}

impl ReadLines {
    /// Adds the text of one read: complete lines, in order for each writer, none of them read
    /// before.
    pub fn read(&mut self, text: &[u8]) -> Result<()> {
        for line in text.chunks(lines::LENGTH) {
            let (writer, number) = lines::parse(line)
                .with_context(|| format!("a torn line: {:?}", String::from_utf8_lossy(line)))?;
            let lines = self.writers.entry(writer).or_default();
            if let Some(last) = lines.last.replace(number) {
                ensure!(last < number, "writer {writer}: line {number} after {last}");
            }
            lines.set(number);
        }
        Ok(())
    }

    /// Adds another reader's lines, none of which may be in this set.
    pub fn merge(&mut self, other: ReadLines) -> Result<()> {
        for (writer, theirs) in other.writers {
            let ours = self.writers.entry(writer).or_default();
            let twice = (0..).zip(&theirs.words).find_map(|(index, word)| {
                let both = word & ours.words.get(index).copied().unwrap_or(0);
                (both != 0).then(|| index * 64 + both.trailing_zeros() as usize)
            });
            if let Some(number) = twice {
                anyhow::bail!("writer {writer}: line {number} was read twice");
            }
            if ours.words.len() < theirs.words.len() {
                ours.words.resize(theirs.words.len(), 0);
            }
            for (ours, theirs) in ours.words.iter_mut().zip(&theirs.words) {
                *ours |= theirs;
            }
        }
        Ok(())
    }

    /// Checks that exactly the lines from 0 to `count` of this writer were read.
    pub fn check(&self, writer: u32, count: u32) -> Result<()> {
        let nothing = WriterLines::default();
        let lines = self.writers.get(&writer).unwrap_or(&nothing);
        if let Some(lost) = (0..count).find(|number| !lines.has(*number)) {
            anyhow::bail!("writer {writer}: line {lost} of {count} was accepted and never read");
        }
        let read: u32 = lines.words.iter().map(|word| word.count_ones()).sum();
        ensure!(
            read == count,
            "writer {writer}: {read} lines were read, {count} were accepted"
        );
        Ok(())
    }
}

impl WriterLines {
    fn set(&mut self, number: u32) {
        let index = number as usize / 64;
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        self.words[index] |= 1 << (number % 64);
    }

    fn has(&self, number: u32) -> bool {
        let word = self.words.get(number as usize / 64).copied().unwrap_or(0);
        word & 1 << (number % 64) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_lines(lines: &[(u32, u32)]) -> Result<ReadLines> {
        let mut read_lines = ReadLines::default();
        for (writer, number) in lines {
            read_lines.read(format!("{writer:07} {number:07}\n").as_bytes())?;
        }
        Ok(read_lines)
    }

    fn merged(readers: &[&[(u32, u32)]]) -> Result<ReadLines> {
        let mut all = ReadLines::default();
        for reader in readers {
            all.merge(read_lines(reader)?)?;
        }
        Ok(all)
    }

    #[test]
    fn lines_of_a_writer_may_be_split_between_readers() {
        let all = merged(&[&[(1, 0), (2, 0), (1, 70)], &[(2, 1)]]).unwrap();
        assert!(all.check(2, 2).is_ok() && all.check(3, 0).is_ok());
        // 1 to 69 were lost
        assert!(
            all.check(1, 71)
                .unwrap_err()
                .to_string()
                .contains("line 1 of 71")
        );
    }

    #[test]
    fn torn_duplicate_unordered_and_extra_lines_are_found() {
        assert!(read_lines(&[(1, 1), (1, 0)]).is_err());
        assert!(read_lines(&[(1, 1), (1, 1)]).is_err());
        assert!(ReadLines::default().read(b"0000001 000000").is_err());
        let twice = merged(&[&[(1, 65)], &[(1, 65)]])
            .err()
            .map(|error| error.to_string());
        assert_eq!(twice.as_deref(), Some("writer 1: line 65 was read twice"));
        assert!(merged(&[&[(1, 0), (1, 1)]]).unwrap().check(1, 1).is_err());
    }
}
