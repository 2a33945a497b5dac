// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The tests of a directory of objects: every program that is not auxiliary.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow};
use libbpf_rs::btf::Btf;
use libbpf_rs::{AsRawLibbpf, ObjectBuilder, OpenObject};
use regex_lite::Regex;

use crate::libbpf_log;
use crate::test_spec::{self, TestSpec};

const SUFFIX: &str = ".bpf.o";

/// An object file in memory. It is read once, as reading over 9p is slow.
pub struct ObjectFile {
    /// The file's name without `.bpf.o`.
    stem: String,
    bytes: Vec<u8>,
}

impl ObjectFile {
    fn read(path: &Path) -> Result<ObjectFile> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(ObjectFile {
            stem: file_name(path).trim_end_matches(SUFFIX).to_owned(),
            bytes,
        })
    }

    /// Opens the object with libbpf.
    pub fn open(&self) -> Result<OpenObject> {
        ObjectBuilder::default()
            .name(&self.stem)
            .and_then(|builder| builder.open_memory(&self.bytes))
            .map_err(|error| {
                let log = libbpf_log::take().join("; ");
                anyhow!("cannot open {}{SUFFIX}: {error:#}: {log}", self.stem)
            })
    }
}

/// One program, which is run alone.
pub struct Test {
    /// `<file>__<program>`.
    pub name: String,
    /// The object that holds the program.
    pub object: Rc<ObjectFile>,
    /// The program's name.
    pub program: String,
    /// The program's attributes, or an error in them.
    pub spec: Result<TestSpec, String>,
}

/// Contents of a directory of objects.
#[derive(Default)]
pub struct TestSet {
    /// The selected tests, by file, in the order of the programs in the object.
    pub tests: Vec<Test>,
    /// Files that hold no program.
    pub empty_objects: Vec<String>,
}

/// Reads the directory. An object that cannot be read becomes one test that fails, so that the
/// error is reported and the other objects still run.
pub fn read(dir: &Path, filter: Option<&Regex>) -> Result<TestSet> {
    let mut found = TestSet::default();
    for path in objects(dir)? {
        let object = Rc::new(ObjectFile::read(&path)?);
        match programs(&object) {
            Ok(Some(tests)) => found.tests.extend(tests),
            Ok(None) => found.empty_objects.push(file_name(&path)),
            Err(error) => found.tests.push(unreadable(object, &error)),
        }
    }
    if let Some(filter) = filter {
        found.tests.retain(|test| filter.is_match(&test.name));
    }
    Ok(found)
}

/// The BTF of an opened object, in which libbpf has filled in sizes and offsets.
pub fn btf(object: &OpenObject) -> Result<Option<Btf<'_>>> {
    // SAFETY: the pointer is that of a live object, which the result borrows.
    let raw = unsafe { object.as_libbpf_object().as_ref() };
    Btf::from_bpf_object(raw).context("cannot read the object's BTF")
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

/// The tests of one object; `None` if it holds no program.
fn programs(file: &Rc<ObjectFile>) -> Result<Option<Vec<Test>>> {
    let object = file.open()?;
    let mut spec = btf(&object)?
        .as_ref()
        .map(test_spec::read)
        .unwrap_or_default();
    let mut empty = true;
    let mut tests = Vec::new();
    for program in object.progs() {
        empty = false;
        let program = program.name().to_string_lossy().into_owned();
        let spec = spec
            .remove(&program)
            .unwrap_or_else(|| Ok(TestSpec::default()));
        if !matches!(&spec, Ok(spec) if spec.auxiliary) {
            tests.push(Test {
                name: format!("{}__{program}", file.stem),
                object: Rc::clone(file),
                program,
                spec,
            });
        }
    }
    Ok((!empty).then_some(tests))
}

fn unreadable(object: Rc<ObjectFile>, error: &anyhow::Error) -> Test {
    Test {
        name: format!("{}__unreadable", object.stem),
        object,
        program: String::new(),
        spec: Err(format!("{error:#}")),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
