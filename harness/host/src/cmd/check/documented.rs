// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Additions to the kernel's interfaces are documented.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Checkout, Findings};
use crate::env::command::{capture, last_lines};

/// The header with the commands of bpf(2).
const UAPI: &str = "include/uapi/linux/bpf.h";

/// The symbol map of libbpf, and the headers that describe its functions.
const LIBBPF_MAP: &str = "tools/lib/bpf/libbpf.map";
const LIBBPF_HEADERS: [&str; 3] = [
    "tools/lib/bpf/bpf.h",
    "tools/lib/bpf/libbpf.h",
    "tools/lib/bpf/btf.h",
];

/// Checks that the documentation has every new name.
pub fn check(checkout: &Checkout<'_>, findings: &mut Findings) -> Result<()> {
    let mut kernel = new_names(checkout, UAPI, commands)?;
    for file in checkout.touched("base", super::SERIES)? {
        let is_source = file.ends_with(".c") && !file.starts_with("tools/");
        if is_source && !file.starts_with("samples/") {
            kernel.extend(new_names(checkout, &file, kfuncs)?);
            kernel.extend(new_names(checkout, &file, sysctls)?);
        }
    }
    for name in &kernel {
        let grep = ["grep", "--quiet", "--word-regexp", "--fixed-strings", name];
        let grep = checkout.tree.git(grep).arg(super::SERIES);
        let out = capture(grep.args(["--", "Documentation"]))?;
        // 1: no match
        match out.status.code() {
            Some(0) => {}
            Some(1) => findings.wrong.push(format!(
                "documentation: {name} is new, and nothing under Documentation/ names it"
            )),
            _ => anyhow::bail!("git grep failed ({}){}", out.status, last_lines(&out)),
        }
    }
    let mut headers = String::new();
    for header in LIBBPF_HEADERS {
        headers.push_str(&checkout.text(super::SERIES, header)?);
    }
    for name in new_names(checkout, LIBBPF_MAP, symbols)? {
        if !headers.contains(&format!("@brief **{name}()**")) {
            findings.wrong.push(format!(
                "documentation: libbpf exports {name}, and no header describes it (`@brief \
                 **{name}()** …`)"
            ));
        }
    }
    Ok(())
}

/// The names that `read` finds in `file` after the series, but not before.
fn new_names(
    checkout: &Checkout<'_>,
    file: &str,
    read: fn(&str) -> BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let before = read(&checkout.text("base", file)?);
    let mut after = read(&checkout.text(super::SERIES, file)?);
    after.retain(|name| !before.contains(name));
    Ok(after)
}

/// The members of `enum bpf_cmd`.
fn commands(header: &str) -> BTreeSet<String> {
    let lines = header
        .lines()
        .skip_while(|line| !line.starts_with("enum bpf_cmd {"))
        .take_while(|line| !line.starts_with('}'));
    lines
        .map(|line| line.trim().split([',', ' ']).next().unwrap_or_default())
        // the last member is the number of the others
        .filter(|name| name.starts_with("BPF_"))
        .map(str::to_owned)
        .collect()
}

/// The kfuncs that a source registers.
pub(super) fn kfuncs(source: &str) -> BTreeSet<String> {
    let lines = source.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix("BTF_ID_FLAGS(func, "))
        .filter_map(|rest| rest.split([',', ')']).next())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// The sysctls that a source registers.
fn sysctls(source: &str) -> BTreeSet<String> {
    let lines = source.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix(".procname"))
        .filter_map(|rest| rest.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

/// The functions that a map of symbols exports.
fn symbols(map: &str) -> BTreeSet<String> {
    let lines = map.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_suffix(';'))
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_names_of_interfaces_are_found() {
        let header = "enum other {\n\tBPF_OTHER,\n};\nenum bpf_cmd {\n\tBPF_MAP_CREATE,\n\
                      \tBPF_PROG_RUN = BPF_PROG_TEST_RUN,\n\t__MAX_BPF_CMD,\n};\n";
        assert_eq!(commands(header), names(&["BPF_MAP_CREATE", "BPF_PROG_RUN"]));
        let source = "BTF_ID_FLAGS(func, bpf_one)\nBTF_ID_FLAGS(func, bpf_two, KF_SLEEPABLE)\n\
                      \t\t.procname\t= \"bpf_max\",\n";
        assert_eq!(kfuncs(source), names(&["bpf_one", "bpf_two"]));
        assert_eq!(sysctls(source), names(&["bpf_max"]));
        let map = "LIBBPF_1.6.0 {\n\tglobal:\n\t\tbpf_read;\n} LIBBPF_1.5.0;\n";
        assert_eq!(symbols(map), names(&["bpf_read"]));
    }
}
