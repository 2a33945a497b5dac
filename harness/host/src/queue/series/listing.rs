// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The file `series`: names of patches, in groups with comments.
//!
//! ```text
//! # description of the series
//!
//! # --- description of a group
//! 0001-first.patch
//! 0002-second.patch
//! ```

use std::collections::HashMap;

use anyhow::{Result, ensure};

/// The file `series`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    groups: Vec<Group>,
}

/// Comments and blank lines, and the patches that follow them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    heading: Vec<String>,
    names: Vec<String>,
}

impl Listing {
    /// Parses the file.
    pub fn parse(text: &str) -> Result<Listing> {
        let mut groups = vec![Group::default()];
        for (at, line) in text.lines().enumerate() {
            let begins_group = line.trim().is_empty() || line.starts_with('#');
            let fresh = groups.last().is_none_or(|group| !group.names.is_empty());
            if begins_group && fresh {
                groups.push(Group::default());
            }
            let Some(group) = groups.last_mut() else {
                continue;
            };
            if begins_group {
                group.heading.push(line.to_owned());
                continue;
            }
            ensure!(
                !line.contains(char::is_whitespace) && !line.contains('/'),
                "line {}: `{line}` is not the name of a patch in this folder",
                at + 1
            );
            group.names.push(line.to_owned());
        }
        Ok(Listing { groups })
    }

    /// The names of the patches, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.groups
            .iter()
            .flat_map(|group| group.names.iter().map(String::as_str))
    }

    /// The same groups with the patches `names`. A known patch, identified by its name without the
    /// number, stays in its group; a new one joins the group of the patch before it.
    pub fn with_names(&self, names: &[String]) -> Listing {
        let mut group_of: HashMap<&str, usize> = HashMap::new();
        for (index, group) in self.groups.iter().enumerate() {
            for name in &group.names {
                group_of.insert(without_number(name), index);
            }
        }
        let first = self.groups.iter().position(|group| !group.names.is_empty());
        let mut groups = self.groups.clone();
        groups.iter_mut().for_each(|group| group.names.clear());
        let mut current = first.unwrap_or(groups.len().saturating_sub(1));
        for name in names {
            // never an earlier group: the order of the patches is fixed
            if let Some(&index) = group_of.get(without_number(name)) {
                current = current.max(index);
            }
            if let Some(group) = groups.get_mut(current) {
                group.names.push(name.clone());
            }
        }
        Listing { groups }
    }

    /// The contents of the file.
    pub fn text(&self) -> String {
        let lines = self
            .groups
            .iter()
            .flat_map(|group| group.heading.iter().chain(&group.names));
        lines.map(|line| format!("{line}\n")).collect()
    }
}

fn without_number(name: &str) -> &str {
    name.trim_start_matches(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# About.\n\n# --- one\n0001-a.patch\n0002-b.patch\n\n# --- two\n0003-c.patch\n";

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_listing_is_written_unchanged() {
        for text in [
            TEXT,
            "",
            "# empty so far\n",
            "a.patch\n",
            "a.patch\n# tail\n",
        ] {
            assert_eq!(Listing::parse(text).unwrap().text(), text);
        }
        let listing = Listing::parse(TEXT).unwrap();
        let got: Vec<&str> = listing.names().collect();
        assert_eq!(got, ["0001-a.patch", "0002-b.patch", "0003-c.patch"]);
        assert!(Listing::parse("not a name\n").is_err());
        assert!(Listing::parse("../up.patch\n").is_err());
    }

    #[test]
    fn known_patches_keep_their_group_and_new_ones_join_the_previous_patch() {
        let listing = Listing::parse(TEXT).unwrap();
        let new = names(&[
            "0001-new.patch",
            "0002-a.patch",
            "0003-c.patch",
            "0004-d.patch",
        ]);
        assert_eq!(
            listing.with_names(&new).text(),
            "# About.\n\n# --- one\n0001-new.patch\n0002-a.patch\n\n# --- two\n0003-c.patch\n0004-d.patch\n"
        );
    }

    #[test]
    fn the_order_of_the_patches_takes_precedence_over_groups() {
        let listing = Listing::parse(TEXT).unwrap();
        let new = names(&["0001-c.patch", "0002-a.patch"]);
        let got = listing.with_names(&new);
        assert_eq!(got.names().collect::<Vec<_>>(), new);
    }

    #[test]
    fn patches_are_added_to_an_empty_listing() {
        let listing = Listing::parse("# empty so far\n").unwrap();
        let got = listing.with_names(&names(&["0001-a.patch"]));
        assert_eq!(got.text(), "# empty so far\n0001-a.patch\n");
    }
}
