// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Placeholders for varying values: equal values have equal placeholders.

use std::collections::HashMap;

/// The placeholders of a test, numbered per kind from 1 in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    numbers: HashMap<(String, String), usize>,
    given: HashMap<String, usize>,
}

impl Placeholders {
    /// The placeholder of `value` among values of its `kind`: `<addr1>` for the first address and every
    /// equal one.
    pub(super) fn name(&mut self, kind: &str, value: &str) -> String {
        let number = self
            .numbers
            .entry((kind.to_owned(), value.to_owned()))
            .or_insert_with(|| {
                let given = self.given.entry(kind.to_owned()).or_default();
                *given += 1;
                *given
            });
        format!("<{kind}{number}>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_placeholder_and_kinds_are_numbered_separately() {
        let mut names = Placeholders::default();
        assert_eq!(names.name("addr", "a"), "<addr1>");
        assert_eq!(names.name("addr", "b"), "<addr2>");
        assert_eq!(names.name("pid", "a"), "<pid1>");
        assert_eq!(names.name("addr", "a"), "<addr1>");
    }
}
