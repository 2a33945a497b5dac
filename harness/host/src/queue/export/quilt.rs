// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The series as quilt and `dpkg-source` read it: a folder of patches with a file `series`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::queue::series::Series;

/// Heads of changes that only git knows. `patch` would leave them out without a word.
const ONLY_GIT: &[&str] = &[
    "rename from ",
    "copy from ",
    "old mode ",
    "GIT binary patch",
    "new file mode 1007",
    "new file mode 12",
];

/// Writes the patches and their list to `dir`.
pub fn write(series: &Series, dir: &Path) -> Result<()> {
    fs::create_dir(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for patch in &series.patches {
        let text = String::from_utf8_lossy(&patch.text);
        let foreign = ONLY_GIT
            .iter()
            .find(|head| text.lines().any(|line| line.starts_with(*head)));
        ensure!(
            foreign.is_none(),
            "{} has `{}`, which only git understands; quilt and dpkg-source would drop it",
            patch.path.display(),
            foreign.unwrap_or(&"").trim_end()
        );
        super::write_file(&dir.join(&patch.name), &patch.text)?;
    }
    let list = series.dir.join("series");
    let list =
        fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    super::write_file(&dir.join("series"), list)
}
