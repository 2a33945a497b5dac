// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! For texts that are too long for a snapshot: notes the size of stdout instead of its text.
//!
//! If the first line begins with a number of seven digits, all lines must, counting from 0.

use anyhow::{Context, Result, ensure};

use super::plain;
use crate::test_ctx::TestCtx;

/// Runs the plain scenario, then replaces the text of stdout by notes.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let retval = plain::run(ctx)?;
    let text = std::mem::take(&mut ctx.output.stdout);
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    ctx.note(format!(
        "stdout gave {} bytes in {} lines",
        text.len(),
        lines.len()
    ));
    if lines.first().copied().and_then(number).is_some() {
        check_count(&lines)?;
        ctx.note(format!("numbered 0 to {} without a gap", lines.len() - 1));
    }
    Ok(retval)
}

fn check_count(lines: &[&[u8]]) -> Result<()> {
    for (expected, line) in lines.iter().enumerate() {
        let shown = String::from_utf8_lossy(line);
        let found =
            number(line).with_context(|| format!("line {expected} has no number: {shown:?}"))?;
        ensure!(
            found == expected,
            "line {expected} has number {found}: {shown:?}"
        );
    }
    Ok(())
}

fn number(line: &[u8]) -> Option<usize> {
    std::str::from_utf8(line.get(..7)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_garbage_are_found() {
        assert!(check_count(&[b"0000000 a\n", b"0000001 b\n"]).is_ok());
        let doubled: [&[u8]; 2] = [b"0000000 a\n", b"0000000 a\n"];
        let torn: [&[u8]; 2] = [b"0000000 a\n", b"000 b\n"];
        assert!(check_count(&doubled).is_err());
        assert!(check_count(&torn).is_err());
    }
}
