// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The Python interpreters that the harness runs.
//!
//! `python3` on `PATH` may be pyenv's or conda's, which cannot import the modules that Debian packages.
//! The kernel's scripts begin with `#!/usr/bin/env python3`, so the order of `PATH` decides which
//! interpreter they get; the harness runs those that import packaged modules with [`scripts_path`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::env::command::{self, capture, cmd, shell_in};

/// The interpreter that imports a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Importer {
    /// Runs the kernel's scripts.
    Scripts,
    /// Creates virtme-ng's venv.
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

/// The interpreter that creates virtme-ng's venv: the distribution's own, or `python3` on `PATH` where
/// the distribution's cannot.
#[must_use]
pub fn for_venv() -> Option<PathBuf> {
    [of_scripts(), command::find("python3")]
        .into_iter()
        .flatten()
        .find(|python| run(python, CREATES_VENV).is_ok())
}

/// The file from which `python` imports `module`, or an error message.
pub fn file_of(python: &Path, module: &str) -> Result<PathBuf, String> {
    let code = format!("import {module}; print({module}.__file__)");
    run(python, &code).map(|printed| PathBuf::from(printed.trim()))
}

/// Runs `code`. Returns its standard output, or the last line of its standard error.
fn run(python: &Path, code: &str) -> Result<String, String> {
    let result = shell_in("/").and_then(|sh| {
        // GitPython searches git when it is imported
        capture(cmd!(sh, "{python} -c {code}").env("PATH", scripts_path()))
    });
    match result {
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
    fn the_error_for_a_missing_module_names_interpreter_and_module() {
        let python = of_scripts().unwrap();
        assert!(file_of(&python, "os").unwrap().ends_with("os.py"));
        let error = file_of(&python, "no_such_module").unwrap_err();
        assert!(
            error.starts_with(&format!("{}: ", python.display())),
            "{error}"
        );
        assert!(error.contains("no_such_module"), "{error}");
    }
}
