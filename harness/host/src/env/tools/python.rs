// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Which Python interpreters the harness runs.
//!
//! `python3` on `PATH` may be pyenv's or conda's, which does not see the modules that Debian packages.
//! The kernel's scripts begin with `#!/usr/bin/env python3`, so the order of `PATH` decides which
//! interpreter they get; the harness runs those that import packaged modules with [`scripts_path`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::env::command::{self, capture, command, shell_in};

/// Which interpreter imports a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Importer {
    /// The one that runs the kernel's scripts.
    Scripts,
    /// The one that creates virtme-ng's venv.
    Venv,
}

/// Succeeds in an interpreter that can create virtme-ng's venv; virtme-ng needs Python 3.9.
const CREATES_VENV: &str =
    "import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 9) else 'older than 3.9')";

/// `PATH` for scripts of the kernel that import modules of Debian packages: the distribution's own
/// interpreter comes first.
#[must_use]
pub fn scripts_path() -> OsString {
    let system = [Path::new("/usr/bin"), Path::new("/bin")];
    command::in_front(&system, &command::search_path())
}

/// The interpreter that `#!/usr/bin/env python3` finds in [`scripts_path`].
#[must_use]
pub fn of_scripts() -> Option<PathBuf> {
    which::which_in("python3", Some(scripts_path()), "/").ok()
}

/// The interpreter that creates virtme-ng's venv: the distribution's own, else the one on `PATH`,
/// whichever can.
#[must_use]
pub fn for_venv() -> Option<PathBuf> {
    [of_scripts(), command::find("python3")]
        .into_iter()
        .flatten()
        .find(|python| runs(python, CREATES_VENV).is_ok())
}

/// The file that `python` imports `module` from, or what it said instead.
pub fn file_of(python: &Path, module: &str) -> Result<PathBuf, String> {
    let code = format!("import {module}; print({module}.__file__)");
    runs(python, &code).map(|said| PathBuf::from(said.trim()))
}

/// What `python` prints when it runs `code`, or the last line of what it complained of.
fn runs(python: &Path, code: &str) -> Result<String, String> {
    let said = shell_in("/").and_then(|sh| {
        capture(
            command(&sh, &python.to_string_lossy())
                // GitPython looks for git when it is imported
                .env("PATH", scripts_path())
                .args(["-c", code]),
        )
    });
    match said {
        Ok(out) if out.status.success() => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
        Ok(out) => {
            let text = String::from_utf8_lossy(&out.stderr);
            let last = text.trim_end().lines().last().unwrap_or_default();
            Err(format!("{}: {last}", python.display()))
        }
        Err(error) => Err(format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distributions_interpreter_comes_before_any_other() {
        let path = scripts_path();
        assert!(path.to_string_lossy().starts_with("/usr/bin:/bin:"));
    }

    #[test]
    fn an_interpreter_that_lacks_a_module_is_named_with_what_it_said() {
        let python = of_scripts().unwrap();
        assert!(file_of(&python, "os").unwrap().ends_with("os.py"));
        let said = file_of(&python, "no_such_module").unwrap_err();
        assert!(
            said.starts_with(&format!("{}: ", python.display())),
            "{said}"
        );
        assert!(said.contains("no_such_module"), "{said}");
    }
}
