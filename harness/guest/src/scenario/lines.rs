// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Lines of the tests with several writers and readers: 16 bytes each, `<writer> <number>`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// Bytes of a line, with its newline.
pub const LENGTH: usize = 16;

/// Checks that the readers together got every line of every writer exactly once and complete, and
/// that each reader got each writer's lines in order. Returns the number of lines of each writer,
/// which does not depend on scheduling.
pub fn check(readers: &[Vec<u8>]) -> Result<Vec<usize>> {
    let mut writers: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for text in readers {
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for line in text.chunks(LENGTH) {
            let (writer, number) = parse(line)
                .with_context(|| format!("a torn line: {:?}", String::from_utf8_lossy(line)))?;
            if let Some(last) = last.insert(writer, number) {
                ensure!(last < number, "writer {writer}: line {number} after {last}");
            }
            writers.entry(writer).or_default().push(number);
        }
    }
    let mut counts = Vec::new();
    for (writer, mut numbers) in writers {
        numbers.sort_unstable();
        for (expected, number) in (0..).zip(&numbers) {
            ensure!(
                expected == *number,
                "writer {writer}: found line {number}, expected {expected}"
            );
        }
        counts.push(numbers.len());
    }
    Ok(counts)
}

/// The note about counts that are the same in every run.
pub fn describe(counts: &[usize]) -> String {
    format!("lines of each writer, once, whole and in order: {counts:?}")
}

/// Writer and number of a complete line.
pub fn parse(line: &[u8]) -> Option<(u32, u32)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (writer, number) = line.split_once(' ')?;
    (line.len() == LENGTH - 1).then_some((writer.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[(u32, u32)]) -> Vec<u8> {
        lines
            .iter()
            .flat_map(|(writer, number)| format!("{writer:07} {number:07}\n").into_bytes())
            .collect()
    }

    #[test]
    fn lines_may_mix_between_writers_and_readers() {
        let readers = [text(&[(1, 0), (2, 0), (1, 2)]), text(&[(1, 1), (2, 1)])];
        assert!(check(&readers).is_ok_and(|counts| counts == [3, 2]));
    }

    #[test]
    fn lost_duplicate_torn_and_unordered_lines_are_found() {
        let wrong = [
            vec![text(&[(1, 0), (1, 2)])],
            vec![text(&[(1, 0)]), text(&[(1, 0)])],
            vec![text(&[(1, 1), (1, 0)])],
            vec![text(&[(1, 0)])[1..].to_vec()],
        ];
        for readers in wrong {
            assert!(check(&readers).is_err(), "{readers:?}");
        }
    }
}
