// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads one test: its program and those it names, nothing else of the object.

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

/// Room for the verifier's words; the kernel fills only what it needs, so most is never touched.
const LOG_SIZE: usize = 16 << 20;

/// A loaded test. The programs it names are attached, its own is not.
pub struct Loaded {
    // detached before the object goes
    links: Vec<Link>,
    object: Object,
    program: String,
}

/// The kernel's refusal of the test's own program: a result that a snapshot may expect.
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
            "the kernel refused the program with errno {}",
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

    /// A program that the test names.
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

    /// Detaches the programs that the test names.
    pub fn detach_others(&mut self) {
        self.links.clear();
    }
}

/// Loads the test's program and attaches those it names. A refusal of the program itself is a
/// [`Rejection`]; everything else that goes wrong (another program refused, an unknown kfunc, no
/// memory for a map) is an error of another kind.
pub fn load(test: &Test, spec: &TestSpec) -> Result<Loaded> {
    load_with(test, spec, |_| Ok(()))
}

/// The same, with something done to the object before it is loaded.
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
        state_freq::judge(&comparison, spec.state_freq_differs.as_deref())
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

/// Loads a program of the test's object by itself, whatever it asks for.
pub fn load_alone(test: &Test, program: &str) -> Result<Loaded> {
    let alone = Test {
        name: test.name.clone(),
        object: Rc::clone(&test.object),
        program: program.to_owned(),
        spec: Ok(TestSpec::default()),
    };
    load(&alone, &TestSpec::default()).with_context(|| format!("cannot load {program} by itself"))
}

fn load_object(mut object: OpenObject, test: &Test) -> Result<Object> {
    let mut log = vec![0u8; LOG_SIZE];
    keep_log(&mut object, test, &mut log)?;
    libbpf_log::take();
    // SAFETY: the object is live and not loaded yet. libbpf-rs' own `load()` would do the same, but
    // its error does not give the errno away.
    let ret = unsafe { libbpf_sys::bpf_object__load(object.as_libbpf_object().as_ptr()) };
    if ret == 0 {
        check_btf(&libbpf_log::take())?;
        // SAFETY: the pointer is that of a loaded object, whose ownership goes over.
        return Ok(unsafe { Object::from_ptr(object.take_ptr()) });
    }
    let said = libbpf_log::take();
    let refusal = format!("prog '{}': BPF program load failed", test.program);
    if said.iter().any(|line| line.contains(&refusal)) {
        return Err(anyhow!(Rejection {
            errno: -ret,
            log: text(&log),
        }));
    }
    let cause = std::io::Error::from_raw_os_error(-ret);
    Err(anyhow!("cannot load: {cause}: {}", said.join("; ")))
}

/// libbpf goes on where the kernel refuses an object's BTF: the test would run, and its reports
/// have no source lines.
fn check_btf(said: &[String]) -> Result<()> {
    const REFUSED: &str = "Error loading .BTF into kernel";
    match said.iter().find(|line| line.contains(REFUSED)) {
        Some(line) => Err(anyhow!(
            "the kernel refused the object's types: {}; `bpftool -d prog load` shows why",
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

/// Switches everything off but the test's program and those it names.
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
        "the object has not all of the programs {:?}",
        spec.load_with
    );
    // libbpf loads the programs of a struct_ops map with the map, whatever they were switched to
    for mut map in object.maps_mut() {
        if map.map_type() == MapType::StructOps {
            map.set_autocreate(struct_ops)
                .context("cannot switch a struct_ops map")?;
        }
    }
    Ok(())
}

/// Gives the test's program a buffer for the verifier's words. libbpf fills it only for a load that
/// failed: then it loads once more, with the log on.
fn keep_log(object: &mut OpenObject, test: &Test, log: &mut [u8]) -> Result<()> {
    for program in object.progs_mut() {
        if program.name().to_string_lossy() == test.program {
            // SAFETY: the buffer outlives the load, and nothing else touches it meanwhile.
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
