// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Makes invisible characters in the texts of a report visible.
//!
//! Texts come from programs, kernels and consoles. The templates escape markup; this module escapes
//! invisible characters and those that change the direction of text, in every text of the report at
//! once.

use std::fmt::Write;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Nightly;

/// The report with every character visible.
pub fn all(nightly: &Nightly) -> Result<Nightly> {
    let mut value = serde_json::to_value(nightly).context("cannot write the report as JSON")?;
    walk(&mut value);
    serde_json::from_value(value).context("cannot read the report back")
}

fn walk(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().any(hidden) => *text = written_out(text),
        Value::Array(values) => values.iter_mut().for_each(walk),
        // keys are names of fields
        Value::Object(fields) => fields.values_mut().for_each(walk),
        _ => {}
    }
}

fn written_out(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if hidden(letter) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    out
}

/// Control characters except layout; characters that change the direction of text or have no width; and
/// characters that HTML forbids.
fn hidden(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fdd0}'..='\u{fdef}' | '\u{fff9}'..='\u{fffb}' => true,
        _ => letter.is_control() || (u32::from(letter) & 0xfffe) == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::nightly::CellRecord;

    #[test]
    fn invisible_characters_are_escaped_everywhere() {
        let mut record = CellRecord {
            trouble: Some("a\0b\u{202e}c\td\ne".to_owned()),
            output: vec!["\x1b[31m größe".to_owned()],
            ..CellRecord::default()
        };
        record.cell.base = "v\u{200b}".to_owned();
        let shown = all(&Nightly::new(vec![record])).unwrap();
        let record = &shown.cells[0];
        assert_eq!(record.trouble.as_deref(), Some("a\\u{0}b\\u{202e}c\td\ne"));
        assert_eq!(record.output, ["\\u{1b}[31m größe"]);
        assert_eq!(record.cell.base, "v\\u{200b}");
    }
}
