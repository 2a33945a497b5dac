// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Quotes arbitrary text in Markdown, so that no part of it is interpreted as markup.

/// `text` as a span of code in one line.
#[must_use]
pub fn code(text: &str) -> String {
    // in a table `|` ends the cell, also in code
    let line = text.replace(['\n', '\r'], " ").replace('|', "¦");
    let ticks = "`".repeat(longest_run(&line) + 1);
    // Markdown strips these blanks; without them a backtick at an end would join the delimiter
    if line.contains('`') || line.trim().is_empty() {
        format!("{ticks} {line} {ticks}")
    } else {
        format!("{ticks}{line}{ticks}")
    }
}

/// `text` as a block of code in the given language, which may be empty.
#[must_use]
pub fn fence(language: &str, text: &str) -> String {
    let ticks = "`".repeat(longest_run(text).max(2) + 1);
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{ticks}{language}\n{text}{end}{ticks}")
}

fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`')
        .map(str::len)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_quotes_any_line() {
        assert_eq!(code("a__x"), "`a__x`");
        assert_eq!(code("a|b\nc"), "`a¦b c`");
        assert_eq!(code("``<b>"), "``` ``<b> ```");
        assert_eq!(code(""), "`  `");
    }

    #[test]
    fn a_code_block_quotes_any_text() {
        assert_eq!(fence("diff", "-a\n+b\n"), "```diff\n-a\n+b\n```");
        assert_eq!(fence("", "```\n# title"), "````\n```\n# title\n````");
        assert_eq!(fence("", ""), "```\n```");
    }
}
