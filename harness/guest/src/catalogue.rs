// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The cases that a folder of objects holds: every program that is not auxiliary.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use libbpf_rs::btf::Btf;
use libbpf_rs::{AsRawLibbpf, ObjectBuilder, OpenObject};
use regex_lite::Regex;

use crate::libbpf_log;
use crate::wishes::{self, Wishes};

const SUFFIX: &str = ".bpf.o";

/// One program, run alone.
pub struct Case {
    /// `<file>__<program>`.
    pub name: String,
    /// The object that holds the program.
    pub object: PathBuf,
    /// The program's name.
    pub program: String,
    /// What it asks for, or why that could not be understood.
    pub wishes: Result<Wishes, String>,
}

/// What a folder of objects holds.
#[derive(Default)]
pub struct Catalogue {
    /// The selected cases, file by file, in the order of the programs in the object.
    pub cases: Vec<Case>,
    /// Files that hold no program.
    pub empty_objects: Vec<String>,
}

/// Reads the folder; an object that cannot be read becomes a case that fails, so that it neither
/// goes unseen nor takes others with it.
pub fn read(dir: &Path, filter: Option<&Regex>) -> Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    for path in objects(dir)? {
        let stem = stem(&path);
        match programs(&path, &stem) {
            Ok(Some(cases)) => catalogue.cases.extend(cases),
            Ok(None) => catalogue.empty_objects.push(file_name(&path)),
            Err(error) => catalogue.cases.push(unreadable(path, &stem, &error)),
        }
    }
    if let Some(filter) = filter {
        catalogue.cases.retain(|case| filter.is_match(&case.name));
    }
    Ok(catalogue)
}

/// The BTF of an opened object, where libbpf has already filled in sizes and offsets.
pub fn btf(object: &OpenObject) -> Result<Option<Btf<'_>>> {
    // SAFETY: the pointer is that of a live object, which the lifetime of the result borrows.
    let raw = unsafe { object.as_libbpf_object().as_ref() };
    Btf::from_bpf_object(raw).context("cannot read the object's BTF")
}

/// Opens an object.
pub fn open(path: &Path) -> Result<OpenObject> {
    ObjectBuilder::default().open_file(path).map_err(|error| {
        anyhow::anyhow!("{error:#}: {}", libbpf_log::take().join("; "))
            .context(format!("cannot open {}", path.display()))
    })
}

fn objects(dir: &Path) -> Result<Vec<PathBuf>> {
    let what = || format!("cannot list the objects in {}", dir.display());
    let mut paths = fs::read_dir(dir)
        .with_context(what)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(what)?;
    paths.retain(|path| file_name(path).ends_with(SUFFIX));
    paths.sort();
    Ok(paths)
}

/// The cases of one object; `None` when it holds no program at all.
fn programs(path: &Path, stem: &str) -> Result<Option<Vec<Case>>> {
    let object = open(path)?;
    let mut wishes = btf(&object)?.as_ref().map(wishes::read).unwrap_or_default();
    let mut empty = true;
    let mut cases = Vec::new();
    for program in object.progs() {
        empty = false;
        let program = program.name().to_string_lossy().into_owned();
        let wishes = wishes
            .remove(&program)
            .unwrap_or_else(|| Ok(Wishes::default()));
        if !matches!(&wishes, Ok(wishes) if wishes.aux) {
            cases.push(Case {
                name: format!("{stem}__{program}"),
                object: path.to_path_buf(),
                program,
                wishes,
            });
        }
    }
    Ok((!empty).then_some(cases))
}

fn unreadable(object: PathBuf, stem: &str, error: &anyhow::Error) -> Case {
    Case {
        name: format!("{stem}__unreadable"),
        object,
        program: String::new(),
        wishes: Err(format!("{error:#}")),
    }
}

fn stem(path: &Path) -> String {
    file_name(path).trim_end_matches(SUFFIX).to_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
