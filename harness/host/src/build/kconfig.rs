// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Kernel configurations: reads fragments, and checks that Kconfig granted their requests.
//!
//! Kconfig silently ignores a request with unmet dependencies, so every request is compared with the
//! resolved configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use crate::env::context::{Context, PLAIN};
use crate::env::guest_machine::GuestMachine;

/// The requests of fragments: options and values, in the format of `.config`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    values: BTreeMap<String, String>,
}

/// File in the folder of the patches with the requests in which a base differs from `kernel-config/`.
const OF_BASE: &str = "kernel.config";

/// The fragments of the configuration of `ctx`, if its architecture has that configuration; later ones
/// override earlier ones. `<config>.<arch>` has the requests of a configuration on one architecture.
pub fn fragments(ctx: &Context) -> Result<Vec<PathBuf>> {
    GuestMachine::of(ctx)?;
    let dir = ctx.repo.join("kernel-config");
    let config = Some(ctx.config.as_str()).filter(|&config| config != PLAIN);
    let names = ["base", ctx.arch.names().name].into_iter().chain(config);
    let mut paths: Vec<PathBuf> = names
        .map(|name| dir.join(format!("{name}.config")))
        .collect();
    let of_arch = dir.join(format!("{}.{}", ctx.config, ctx.arch.names().name));
    for path in &paths {
        ensure!(
            path.is_file(),
            "no fragment {}; ARCH and CONFIG are names of fragments in kernel-config/",
            path.display()
        );
    }
    let more = [of_arch, ctx.patches().join(OF_BASE)];
    paths.extend(more.into_iter().filter(|path| path.is_file()));
    Ok(paths)
}

/// The variables for the kernel's make in `kernel-config/<config>.make`, as `NAME=value`; none without
/// that file.
pub fn make_variables(ctx: &Context) -> Result<Vec<String>> {
    let path = ctx
        .repo
        .join("kernel-config")
        .join(&ctx.config)
        .with_extension("make");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path)?;
    variables(&text).with_context(|| format!("{} is not a list of variables", path.display()))
}

/// Parses comments, empty lines and `NAME=value`.
fn variables(text: &str) -> Result<Vec<String>> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, _) = line.split_once('=').unwrap_or_default();
            let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
            ensure!(
                !name.is_empty() && name.chars().all(is_name),
                "`{line}` is not NAME=value"
            );
            Ok(line.to_owned())
        })
        .collect()
}

/// Reads fragments; later ones override earlier ones.
pub fn load(fragments: &[PathBuf]) -> Result<Requests> {
    let mut all = Requests::default();
    for path in fragments {
        let text = fs::read_to_string(path)?;
        let requests = Requests::parse(&text)
            .with_context(|| format!("{} is not a configuration fragment", path.display()))?;
        all.values.extend(requests.values);
    }
    Ok(all)
}

impl Requests {
    /// Parses a fragment: comments, empty lines and `CONFIG_NAME=value`, each option once.
    pub fn parse(text: &str) -> Result<Requests> {
        let mut values = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = option(line) else {
                bail!("line {}: `{line}` is not CONFIG_NAME=value", at + 1);
            };
            let old = values.insert(name.to_owned(), value.to_owned());
            ensure!(old.is_none(), "line {}: {name} is requested twice", at + 1);
        }
        Ok(Requests { values })
    }

    /// The requests in the format of `KCONFIG_ALLCONFIG`.
    pub fn text(&self) -> String {
        let lines = self.values.iter();
        lines
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect()
    }

    /// The requests with `changes`, for builds without a feature.
    pub fn with(&self, changes: &[(&str, &str)]) -> Requests {
        let mut changed = self.clone();
        for (name, value) in changes {
            changed
                .values
                .insert((*name).to_owned(), (*value).to_owned());
        }
        changed
    }

    /// Fails if the resolved configuration `config` differs from a request.
    pub fn ensure_granted(&self, config: &str) -> Result<()> {
        let resolved: BTreeMap<&str, &str> = config.lines().filter_map(option).collect();
        let mut refused = String::new();
        for (name, wanted) in &self.values {
            // an option that is off is a comment or missing
            let got = resolved.get(name.as_str()).copied().unwrap_or("n");
            if got != wanted {
                refused.push_str(&format!("\n  {name}: requested {wanted}, got {got}"));
            }
        }
        ensure!(
            refused.is_empty(),
            "Kconfig did not grant the requests of kernel-config/; a dependency of the option is \
             missing there, or the option has another name in this kernel:{refused}"
        );
        Ok(())
    }
}

fn option(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let rest = name.strip_prefix("CONFIG_")?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!rest.is_empty() && rest.chars().all(is_word) && !value.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::env::arch::Arch;

    const FRAGMENT: &str = "# why\nCONFIG_BPF=y\n\nCONFIG_LSM=\"bpf\"\nCONFIG_MODULES=n\n";

    #[test]
    fn a_fragment_has_comments_and_requests() {
        let requests = Requests::parse(FRAGMENT).unwrap();
        assert_eq!(
            requests.text(),
            "CONFIG_BPF=y\nCONFIG_LSM=\"bpf\"\nCONFIG_MODULES=n\n"
        );
        for wrong in [
            "CONFIG_BPF",
            "BPF=y",
            "CONFIG_=y",
            "CONFIG_A B=y",
            "CONFIG_A=",
        ] {
            assert!(Requests::parse(wrong).is_err(), "{wrong}");
        }
        let twice = Requests::parse("CONFIG_A=y\nCONFIG_A=n\n").unwrap_err();
        assert!(
            twice
                .to_string()
                .contains("line 2: CONFIG_A is requested twice")
        );
    }

    #[test]
    fn a_later_fragment_overrides_an_earlier_one() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let base = write("base", "CONFIG_A=y\nCONFIG_B=y\n");
        let debug = write("debug", "CONFIG_B=n\n");
        let all = load(&[base, debug]).unwrap();
        assert_eq!(all.text(), "CONFIG_A=y\nCONFIG_B=n\n");
    }

    #[test]
    fn every_request_must_be_granted() {
        let requests = Requests::parse(FRAGMENT).unwrap();
        let good = "CONFIG_BPF=y\nCONFIG_LSM=\"bpf\"\n# CONFIG_MODULES is not set\nCONFIG_X=y\n";
        requests.ensure_granted(good).unwrap();
        let refused = [
            (
                "CONFIG_BPF=y",
                "# CONFIG_BPF is not set",
                "CONFIG_BPF: requested y, got n",
            ),
            (
                "\"bpf\"",
                "\"yama\"",
                "CONFIG_LSM: requested \"bpf\", got \"yama\"",
            ),
            ("# CONFIG_MODULES is not set", "CONFIG_MODULES=y", "got y"),
        ];
        for (from, to, expected) in refused {
            let error = requests
                .ensure_granted(&good.replace(from, to))
                .unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn variables_have_names_and_values() {
        let read = variables("# why\n\nKCSAN_SANITIZE=n\nKCSAN_SANITIZE_a.o=y\n").unwrap();
        assert_eq!(read, ["KCSAN_SANITIZE=n", "KCSAN_SANITIZE_a.o=y"]);
        for wrong in ["all", "=y", "A B=y"] {
            let error = variables(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn the_files_of_the_clone_are_valid() {
        let dir = crate::env::context::find_repo()
            .unwrap()
            .join("kernel-config");
        let entries = dir.read_dir().unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let (fragments, others): (Vec<_>, Vec<_>) =
            paths.partition(|path| path.extension().is_some_and(|end| end == "config"));
        assert!(fragments.len() >= 2, "{fragments:?}");
        load(&fragments).unwrap();
        for path in others {
            match path.extension().and_then(OsStr::to_str) {
                Some("make") => {
                    variables(&fs::read_to_string(&path).unwrap()).unwrap();
                }
                Some(end) if Arch::ALL.iter().any(|arch| arch.names().name == end) => {
                    load(std::slice::from_ref(&path)).unwrap();
                }
                Some("machine") => {
                    let config = path.file_stem().and_then(OsStr::to_str).unwrap();
                    let machine = GuestMachine::read(&dir, config).unwrap();
                    assert_ne!(machine, GuestMachine::default(), "{path:?}");
                }
                _ => panic!("{path:?} is no fragment and belongs to none"),
            }
            assert!(
                fragments.contains(&path.with_extension("config")),
                "{path:?}"
            );
        }
    }
}
