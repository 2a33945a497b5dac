// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The series in the format of quilt and `dpkg-source`: a folder of patches with a file `series`.

use std::path::Path;

use anyhow::{Result, ensure};
use fs_err as fs;

use crate::queue::series::Series;

/// Headers of changes that only git supports; `patch` ignores them silently.
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
    fs::create_dir(dir)?;
    for patch in &series.patches {
        let text = String::from_utf8_lossy(&patch.text);
        let unsupported = ONLY_GIT
            .iter()
            .find(|head| text.lines().any(|line| line.starts_with(*head)));
        ensure!(
            unsupported.is_none(),
            "{} has `{}`, which only git supports; quilt and dpkg-source would ignore it",
            patch.path.display(),
            unsupported.unwrap_or(&"").trim_end()
        );
        fs::write(dir.join(&patch.name), &patch.text)?;
    }
    let list = series.dir.join("series");
    let list = fs::read_to_string(&list)?;
    Ok(fs::write(dir.join("series"), list)?)
}
