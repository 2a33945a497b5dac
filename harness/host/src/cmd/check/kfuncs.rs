// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The flags of kfuncs mean the same to pahole as to the kernel of the series.
//!
//! pahole reads the flags of each kfunc as numbers, and writes a tag into the kernel's BTF for each flag that
//! it knows from mainline; bpftool writes vmlinux.h from the tags. A flag of the series with a number that
//! mainline gave to another flag tells compilers something false: with the tag `bpf_fastcall`, clang keeps
//! values in registers that the kfunc clobbers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Checkout, Findings, documented};
use crate::build::bpftool;
use crate::build::kernel;
use crate::env::cache_key::Digest;
use crate::env::command::{capture, cmd, last_lines, output, shell_in};
use crate::env::context::Context;
use crate::env::unpacked::{self, OfSuite};
use crate::queue::source::Lists;

/// The header with the flags.
const HEADER: &str = "include/linux/btf.h";

/// The lowest bit for a flag of the series; mainline uses those below.
const FIRST_FREE_BIT: u32 = 17;

/// Debian's suite with the newest pahole in a release, and its package.
const SUITE: &str = "trixie";
const PACKAGE: &str = "dwarves";

/// What the kernel's build tells the newest pahole to write (`scripts/Makefile.btf` of mainline); pahole
/// ignores features that it does not know.
const FEATURES: &str = "encode_force,var,float,enum64,decl_tag,type_tag,optimized_func,\
                        consistent_func,decl_tag_kfuncs,attributes";

/// The tag of every kfunc, and the only one: 6.12 has none of the flags that have tags.
const TAG: &str = "bpf_kfunc";

/// Checks the bits of the flags that the series adds.
pub fn check_flags(checkout: &Checkout<'_>, findings: &mut Findings) -> Result<()> {
    let before = flags(&checkout.text("base", HEADER)?);
    for (name, bit) in flags(&checkout.text(super::SERIES, HEADER)?) {
        if !before.contains_key(&name) && bit < FIRST_FREE_BIT {
            findings.wrong.push(format!(
                "kfuncs: {name} is bit {bit}, which mainline and pahole use for another flag; expected \
                 bit {FIRST_FREE_BIT} or higher ({HEADER})"
            ));
        }
    }
    Ok(())
}

/// Checks the tags that the newest pahole writes for the kfuncs in the files that the series touches.
pub fn check_tags(checkout: &Checkout<'_>, findings: &mut Findings) -> Result<()> {
    let kfuncs = Kfuncs::of(checkout)?;
    if kfuncs.new.is_empty() {
        return Ok(());
    }
    let ctx = &Context {
        kernel: None,
        ..checkout.ctx.clone()
    };
    let pahole = Pahole::newest(ctx)?;
    let mut key = Digest::default();
    key.add("kfunc tags", FEATURES);
    key.add("kernel", kernel::key(ctx)?);
    key.add("pahole", &pahole.version);
    checkout
        .once(&key, findings, || {
            let kernel = kernel::build(ctx)?;
            let stage = ctx.progress.stage(
                "check",
                format!("reading the tags of pahole {}", pahole.version),
            );
            let bpftool = bpftool::build(ctx, &kernel)?;
            let wrong = match pahole.dump(&kernel.vmlinux, &bpftool.path)? {
                Ok(dump) => kfuncs.wrong_tags(&dump),
                Err(fault) => vec![fault],
            };
            stage.done(format!("pahole {} tags kfuncs", pahole.version));
            Ok(wrong
                .into_iter()
                .map(|fault| format!("kfuncs: pahole {}: {fault}", pahole.version))
                .collect())
        })
        .map(drop)
}

/// The flags of kfuncs that a header defines, with their bits.
fn flags(header: &str) -> BTreeMap<String, u32> {
    let flag = |line: &str| {
        let mut words = line
            .strip_prefix("#define KF_")?
            .splitn(2, char::is_whitespace);
        let (name, rest) = (words.next()?, words.next()?);
        let bit = rest.trim().strip_prefix("(1 << ")?.split(')').next()?;
        Some((format!("KF_{name}"), bit.parse().ok()?))
    };
    header.lines().filter_map(flag).collect()
}

/// The kfuncs of the files that the series touches.
#[derive(Default)]
struct Kfuncs {
    /// All of them: the series may change the flags of an older one.
    all: BTreeSet<String>,
    /// Those that the series adds.
    new: BTreeSet<String>,
}

impl Kfuncs {
    fn of(checkout: &Checkout<'_>) -> Result<Kfuncs> {
        let mut kfuncs = Kfuncs::default();
        let mut before = BTreeSet::new();
        for file in checkout.touched("base", super::SERIES)? {
            if file.ends_with(".c") && !file.starts_with("tools/") {
                before.extend(documented::kfuncs(&checkout.text("base", &file)?));
                let after = documented::kfuncs(&checkout.text(super::SERIES, &file)?);
                kfuncs.all.extend(after);
            }
        }
        kfuncs.new = kfuncs.all.difference(&before).cloned().collect();
        Ok(kfuncs)
    }

    /// What is wrong with the tags in a dump of bpftool.
    fn wrong_tags(&self, dump: &str) -> Vec<String> {
        let tags = tags(dump);
        let mut wrong = Vec::new();
        for kfunc in &self.all {
            let tags = tags.get(kfunc.as_str()).map_or(&[][..], Vec::as_slice);
            if self.new.contains(kfunc) && !tags.contains(&TAG) {
                wrong.push(format!("{kfunc} has no tag `{TAG}`; is it still a kfunc?"));
            }
            wrong.extend(tags.iter().filter(|tag| **tag != TAG).map(|tag| {
                format!(
                    "{kfunc} has the tag `{tag}`, which none of its flags means; give the flags of the \
                     series other bits ({HEADER})"
                )
            }));
        }
        wrong
    }
}

/// The tags of each function, in the output of `bpftool btf dump`: `[3] FUNC 'name' type_id=2 …`,
/// `[4] DECL_TAG 'tag' type_id=3 component_idx=-1`.
fn tags(dump: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut functions = BTreeMap::new();
    let mut tags: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let lines = || {
        dump.lines().filter_map(|line| {
            let (id, rest) = line.strip_prefix('[')?.split_once("] ")?;
            let (kind, rest) = rest.split_once(" '")?;
            let (name, rest) = rest.split_once('\'')?;
            Some((id, kind, name, rest))
        })
    };
    for (id, kind, name, _) in lines() {
        if kind == "FUNC" {
            functions.insert(id, name);
        }
    }
    for (_, kind, tag, rest) in lines() {
        let of = rest.split_whitespace();
        let of = of
            .filter_map(|word| word.strip_prefix("type_id="))
            .find_map(|id| functions.get(id));
        if let ("DECL_TAG", Some(function)) = (kind, of) {
            tags.entry(function).or_default().push(tag);
        }
    }
    tags
}

/// The newest pahole of Debian, in the cache.
struct Pahole {
    program: PathBuf,
    version: String,
}

impl Pahole {
    fn newest(ctx: &Context) -> Result<Pahole> {
        let lists = Lists::of(ctx, Some(SUITE))?;
        let version = lists.candidate(PACKAGE)?.with_context(|| {
            format!("Debian's suite {SUITE} has no package {PACKAGE}; check the mirror of apt")
        })?;
        let wanted = OfSuite {
            suite: SUITE,
            package: PACKAGE,
            version: &version,
        };
        let program =
            unpacked::of_suite(ctx, &wanted, "pahole", &|sh| lists.command(sh, "apt-get"))?;
        Ok(Pahole { program, version })
    }

    /// bpftool's dump of the BTF that pahole writes for a kernel, or why pahole fails.
    fn dump(&self, vmlinux: &Path, bpftool: &Path) -> Result<Result<String, String>> {
        let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
        let sh = shell_in(scratch.path())?;
        let pahole = &self.program;
        let out = capture(cmd!(
            sh,
            "{pahole} -J --btf_features={FEATURES} --btf_encode_detached=kernel.btf {vmlinux}"
        ))?;
        if !out.status.success() {
            return Ok(Err(format!(
                "it cannot write the kernel's BTF ({}){}",
                out.status,
                last_lines(&out)
            )));
        }
        output(cmd!(sh, "{bpftool} btf dump file kernel.btf")).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a dump of a kernel in which bpf_res_spin_lock had bit 12 in its flags, written by pahole 1.30.
    const DUMP: &str = include_str!("kfuncs/dump.txt");

    fn kfuncs(all: &[&str], new: &[&str]) -> Kfuncs {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Kfuncs {
            all: set(all),
            new: set(new),
        }
    }

    #[test]
    fn a_kfunc_has_its_tag_and_no_other() {
        let wrong = |name| kfuncs(&[name], &[name]).wrong_tags(DUMP);
        assert_eq!(wrong("bpf_stream_print_stack"), [""; 0]);
        let fast = wrong("bpf_res_spin_lock");
        assert!(
            matches!(&fast[..], [fault] if fault.contains("`bpf_fastcall`")),
            "{fast:?}"
        );
        for missing in ["bpf_prog_run_pin_on_cpu", "bpf_unknown"] {
            let wrong = wrong(missing);
            assert!(
                matches!(&wrong[..], [fault] if fault.contains("no tag `bpf_kfunc`")),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn an_older_kfunc_may_be_missing_but_have_no_other_tag() {
        let older = kfuncs(&["bpf_unknown", "bpf_res_spin_lock"], &[]);
        assert_eq!(older.wrong_tags(DUMP).len(), 1);
    }

    #[test]
    fn the_bits_of_flags_are_parsed() {
        let header = "#define KF_ACQUIRE\t(1 << 0) /* kfunc is an acquire function */\n\
                      #define KF_IMPLICIT_PROG (1 << 24)\n\
                      #define KF_ITER (KF_ITER_NEW | KF_ITER_NEXT)\n#define OTHER (1 << 3)\n";
        let expected = [("KF_ACQUIRE", 0), ("KF_IMPLICIT_PROG", 24)];
        let expected = expected.map(|(name, bit)| (name.to_owned(), bit));
        assert_eq!(flags(header), expected.into());
    }
}
