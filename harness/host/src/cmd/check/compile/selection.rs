// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Which patches a quick look compiles one by one, and what it says of the others.

use crate::queue::series::Patch;

/// How many changed patches a quick look compiles. Most touch a header that all of kernel/bpf
/// includes, which takes up to half a minute each.
pub const MOST: usize = 12;

/// What the cache knows of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchState {
    /// Nothing that it touches is compiled.
    NotCompiled,
    /// It was compiled between the same files as now.
    Passed,
    /// It makes the change that it made when the series passed here, perhaps between other files.
    Unchanged,
    /// The change that it makes is new here.
    Changed,
}

/// The patches of a series, by what a quick look does with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Compiled one by one.
    pub compiled: Vec<usize>,
    /// Compiled before.
    pub passed: usize,
    /// Left out: no series has passed here with which they could be compared.
    pub unknown: Vec<usize>,
    /// Left out: the same change has passed here within a series.
    pub unchanged: Vec<usize>,
    /// Left out: more than [`MOST`] are new.
    pub beyond: Vec<usize>,
}

impl Selection {
    /// Chooses from `patches`; `compared` says whether a series has passed here before.
    pub fn of(patches: &[PatchState], compared: bool) -> Selection {
        let mut selection = Selection::default();
        for (at, standing) in patches.iter().enumerate() {
            match standing {
                PatchState::NotCompiled => {}
                PatchState::Passed => selection.passed += 1,
                _ if !compared => selection.unknown.push(at),
                PatchState::Unchanged => selection.unchanged.push(at),
                PatchState::Changed if selection.compiled.len() < MOST => {
                    selection.compiled.push(at)
                }
                PatchState::Changed => selection.beyond.push(at),
            }
        }
        selection
    }

    /// What is left out on `arch`, and why, a line each.
    pub fn notes(&self, patches: &[Patch], arch: &str) -> Vec<String> {
        let left_out = |count: usize| {
            let s = if count == 1 { "" } else { "es" };
            format!("{count} patch{s} not compiled one by one on {arch}")
        };
        let mut notes = Vec::new();
        if !self.unknown.is_empty() {
            let what = left_out(self.unknown.len());
            notes.push(format!(
                "{what}: nothing to compare with; `make check-series` compiles them"
            ));
        }
        if !self.unchanged.is_empty() {
            let what = left_out(self.unchanged.len());
            notes.push(format!(
                "{what}: their changes are those that passed here within a series; `make \
                 check-series` compiles them"
            ));
        }
        if !self.beyond.is_empty() {
            let what = left_out(self.beyond.len());
            let names: Vec<&str> = self.beyond.iter().map(|&at| &*patches[at].name).collect();
            notes.push(format!(
                "{what}: more than {MOST} have changed; `make check-series` compiles them, the next \
                 quick check some: {}",
                names.join(", ")
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::PatchState::{Changed, NotCompiled, Passed, Unchanged};
    use super::*;

    #[test]
    fn changed_patches_are_compiled_and_the_others_are_told() {
        let patches = [Unchanged, Changed, Passed, NotCompiled, Unchanged, Changed];
        let selection = Selection::of(&patches, true);
        assert_eq!(selection.compiled, [1, 5]);
        assert_eq!(
            (selection.passed, &selection.unchanged[..]),
            (1, &[0, 4][..])
        );
        assert_eq!(
            selection.notes(&[], "arm64"),
            [
                "2 patches not compiled one by one on arm64: their changes are those that passed \
              here within a series; `make check-series` compiles them"
            ]
        );
    }

    #[test]
    fn with_nothing_to_compare_with_none_is_compiled() {
        let selection = Selection::of(&[Changed, Passed, Changed], false);
        assert_eq!((&selection.compiled[..], selection.passed), (&[][..], 1));
        let notes = selection.notes(&[], "x86_64");
        assert_eq!(
            notes,
            [
                "2 patches not compiled one by one on x86_64: nothing to compare with; `make \
              check-series` compiles them"
            ]
        );
    }

    #[test]
    fn what_is_too_much_is_named() {
        let selection = Selection::of(&[Changed; MOST + 2], true);
        assert_eq!(selection.compiled.len(), MOST);
        assert_eq!(selection.beyond, [MOST, MOST + 1]);
        let patches: Vec<Patch> = (0..MOST + 2)
            .map(|at| Patch {
                name: format!("{at:04}-p.patch"),
                path: std::path::PathBuf::new(),
                text: Vec::new(),
                prefix_key: String::new(),
            })
            .collect();
        let notes = selection.notes(&patches, "x86_64");
        assert!(notes[0].starts_with("2 patches not compiled"), "{notes:?}");
        assert!(
            notes[0].ends_with("0012-p.patch, 0013-p.patch"),
            "{notes:?}"
        );
    }
}
