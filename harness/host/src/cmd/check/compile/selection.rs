// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The patches that the quick check compiles one by one, and the notes on the others.

use crate::queue::series::Patch;

/// Most changed patches that the quick check compiles. Many patches touch a header that all of
/// kernel/bpf includes, which takes up to half a minute.
pub const MOST: usize = 12;

/// The state of a patch in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchState {
    /// The patch touches no compiled file.
    NotCompiled,
    /// The patch was compiled on the same files.
    Passed,
    /// The patch makes the same change as when the series passed, perhaps on other files.
    Unchanged,
    /// The change of the patch is new on this machine.
    Changed,
}

/// The patches of a series, by what the quick check does with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Patches to compile.
    pub compiled: Vec<usize>,
    /// Patches that were compiled earlier.
    pub passed: usize,
    /// Skipped: no series has passed on this machine, so changes are unknown.
    pub unknown: Vec<usize>,
    /// Skipped: the same change has passed as part of a series.
    pub unchanged: Vec<usize>,
    /// Skipped: more than [`MOST`] are new.
    pub beyond: Vec<usize>,
}

impl Selection {
    /// Selects from `patches`; `compared` is whether a series has passed on this machine.
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

    /// The skipped patches on `arch` with the reasons, one line each.
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
    fn changed_patches_are_compiled_and_the_others_are_noted() {
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
    fn without_a_passed_series_no_patch_is_compiled() {
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
    fn patches_beyond_the_limit_are_noted() {
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
