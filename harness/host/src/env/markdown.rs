// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Texts of others in Markdown, where nothing that they hold may be taken for markup.

/// `text` as a span of code in one line.
#[must_use]
pub fn code(text: &str) -> String {
    // in a table a bar would end the cell, even in code
    let line = text.replace(['\n', '\r'], " ").replace('|', "¦");
    let ticks = "`".repeat(longest_run(&line) + 1);
    // the blanks belong to the marks and are not shown; without them a tick at an end would join
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
    fn a_span_of_code_holds_any_line() {
        assert_eq!(code("a__x"), "`a__x`");
        assert_eq!(code("a|b\nc"), "`a¦b c`");
        assert_eq!(code("``<b>"), "``` ``<b> ```");
        assert_eq!(code(""), "`  `");
    }

    #[test]
    fn a_block_of_code_cannot_be_ended_from_within() {
        assert_eq!(fence("diff", "-a\n+b\n"), "```diff\n-a\n+b\n```");
        assert_eq!(fence("", "```\n# title"), "````\n```\n# title\n````");
        assert_eq!(fence("", ""), "```\n```");
    }
}
