// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads one test: its program and the programs that it names, nothing else of the object.

use std::ffi::CStr;
use std::fmt;
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, ensure};
use libbpf_rs::{
    AsRawLibbpf, Link, Map, MapCore as _, MapType, Object, OpenObject, ProgramMut, ProgramType,
    libbpf_sys,
};

use crate::discover::Test;
use crate::libbpf_log;
use crate::prog_run;
use crate::state_freq;
use crate::test_spec::TestSpec;
use crate::variables;

/// Size of the buffer for the verifier's log. The kernel writes only what it needs.
const LOG_SIZE: usize = 16 << 20;

/// A loaded test. The programs that it names are attached, its own program is not.
pub struct Loaded {
    // dropped, and so detached, before the object
    links: Vec<Link>,
    object: Object,
    program: String,
}

/// The kernel rejected the test's own program: a result that a snapshot may expect.
#[derive(Debug)]
pub struct Rejection {
    /// Positive errno of `BPF_PROG_LOAD`.
    pub errno: i32,
    /// The verifier's log.
    pub log: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the kernel rejected the program with errno {}",
            self.errno
        )
    }
}

impl std::error::Error for Rejection {}

impl Loaded {
    /// The test's program.
    pub fn program(&self) -> Result<ProgramMut<'_>> {
        find(&self.object, &self.program)
    }

    /// Another program that the test names.
    pub fn other(&self, name: &str) -> Result<ProgramMut<'_>> {
        find(&self.object, name)
    }

    /// A map of the test's object.
    pub fn map(&self, name: &str) -> Result<Map<'_>> {
        self.object
            .maps()
            .find(|map| map.name() == name)
            .with_context(|| format!("the loaded object has no map `{name}`"))
    }

    /// Detaches the other programs.
    pub fn detach_others(&mut self) {
        self.links.clear();
    }
}

/// Loads the test's program, and attaches the programs that it names. If the kernel rejects the
/// test's own program, the error is a [`Rejection`]; every other failure (another program is
/// rejected, a kfunc is missing, a map cannot be created) is an error of another type.
pub fn load(test: &Test, spec: &TestSpec) -> Result<Loaded> {
    load_with(test, spec, |_| Ok(()))
}

/// As [`load`], but calls `prepare` with the object before it is loaded.
pub fn load_with(
    test: &Test,
    spec: &TestSpec,
    prepare: impl FnOnce(&mut OpenObject) -> Result<()>,
) -> Result<Loaded> {
    let mut object = test.object.open()?;
    select(&mut object, test, spec)?;
    variables::fill(&mut object)?;
    prepare(&mut object)?;
    let programs = spec
        .load_with
        .iter()
        .chain([&test.program])
        .cloned()
        .collect();
    let (object, comparison) = state_freq::check(programs, || load_object(object, test));
    let has_verdict = match &object {
        Ok(_) => true,
        Err(error) => error.is::<Rejection>() || comparison.differs(),
    };
    if has_verdict {
        state_freq::check_reason(&comparison, spec.state_freq_differs.as_deref())
            .map_err(anyhow::Error::msg)?;
    }
    let object = object?;
    let mut links = Vec::new();
    for name in &spec.load_with {
        links.extend(prog_run::attach_if_attachable(&find(&object, name)?)?);
    }
    Ok(Loaded {
        links,
        object,
        program: test.program.clone(),
    })
}

/// Loads one program of the test's object alone, without its attributes.
pub fn load_alone(test: &Test, program: &str) -> Result<Loaded> {
    let alone = Test {
        name: test.name.clone(),
        object: Rc::clone(&test.object),
        program: program.to_owned(),
        spec: Ok(TestSpec::default()),
    };
    load(&alone, &TestSpec::default()).with_context(|| format!("cannot load {program} alone"))
}

fn load_object(mut object: OpenObject, test: &Test) -> Result<Object> {
    let mut log = vec![0u8; LOG_SIZE];
    keep_log(&mut object, test, &mut log)?;
    libbpf_log::take();
    // SAFETY: the object is live and not loaded yet. `load()` of libbpf-rs does the same, but its
    // error lacks the errno.
    let ret = unsafe { libbpf_sys::bpf_object__load(object.as_libbpf_object().as_ptr()) };
    if ret == 0 {
        check_btf(&libbpf_log::take())?;
        // SAFETY: a pointer to a loaded object, whose ownership is transferred.
        return Ok(unsafe { Object::from_ptr(object.take_ptr()) });
    }
    let lines = libbpf_log::take();
    let rejected = format!("prog '{}': BPF program load failed", test.program);
    if lines.iter().any(|line| line.contains(&rejected)) {
        return Err(anyhow!(Rejection {
            errno: -ret,
            log: text(&log),
        }));
    }
    let cause = std::io::Error::from_raw_os_error(-ret);
    Err(anyhow!("cannot load: {cause}: {}", lines.join("; ")))
}

/// libbpf continues when the kernel rejects an object's BTF: the test would run, but its reports
/// would have no source lines.
fn check_btf(lines: &[String]) -> Result<()> {
    const REJECTED: &str = "Error loading .BTF into kernel";
    match lines.iter().find(|line| line.contains(REJECTED)) {
        Some(line) => Err(anyhow!(
            "the kernel rejected the object's BTF: {}; `bpftool -d prog load` shows why",
            line.trim_end()
        )),
        None => Ok(()),
    }
}

fn find<'obj>(object: &'obj Object, name: &str) -> Result<ProgramMut<'obj>> {
    object
        .progs_mut()
        .find(|program| program.name() == name)
        .with_context(|| format!("the loaded object has no program `{name}`"))
}

/// Disables autoload for all programs but the test's own and those that it names.
fn select(object: &mut OpenObject, test: &Test, spec: &TestSpec) -> Result<()> {
    let wanted =
        |name: &str| name == test.program || spec.load_with.iter().any(|with| with == name);
    let mut found = 0;
    let mut struct_ops = false;
    for mut program in object.progs_mut() {
        let wanted = wanted(&program.name().to_string_lossy());
        program.set_autoload(wanted);
        if wanted {
            found += 1;
            struct_ops |= program.prog_type() == ProgramType::StructOps;
        }
    }
    ensure!(
        found == 1 + spec.load_with.len(),
        "the object lacks some of the programs {:?}",
        spec.load_with
    );
    // libbpf loads the programs of a struct_ops map with the map, even with autoload disabled
    for mut map in object.maps_mut() {
        if map.map_type() == MapType::StructOps {
            map.set_autocreate(struct_ops)
                .context("cannot set autocreate of a struct_ops map")?;
        }
    }
    Ok(())
}

/// Sets the buffer for the verifier's log of the test's program. libbpf loads without a log first,
/// and repeats a load that failed with the log enabled.
fn keep_log(object: &mut OpenObject, test: &Test, log: &mut [u8]) -> Result<()> {
    for program in object.progs_mut() {
        if program.name().to_string_lossy() == test.program {
            // SAFETY: the buffer outlives the load, and nothing else accesses it in that time.
            let ret = unsafe {
                libbpf_sys::bpf_program__set_log_buf(
                    program.as_libbpf_object().as_ptr(),
                    log.as_mut_ptr().cast(),
                    log.len() as libbpf_sys::size_t,
                )
            };
            ensure!(ret == 0, "cannot set the buffer for the verifier's log");
        }
    }
    Ok(())
}

fn text(log: &[u8]) -> String {
    CStr::from_bytes_until_nul(log)
        .map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}
