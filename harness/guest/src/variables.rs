// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Sets constants of an object by name, before it is loaded.

use std::ffi::CStr;

use anyhow::{Result, ensure};
use libbpf_rs::OpenObject;
use libbpf_rs::btf::types::{DataSec, Var};

use crate::cpus;
use crate::discover::btf;
use crate::settings;

/// A text in user space, for programs that read user memory.
static USER_TEXT: &CStr = c"text of user space";

/// Returns the bytes of a variable.
type Value = fn() -> Vec<u8>;

/// The values of `const volatile` variables with these names.
const VARIABLES: &[(&str, Value)] = &[
    // the agent's process, so that attached programs can ignore all others
    ("target_tgid", || std::process::id().to_ne_bytes().to_vec()),
    // the number of online CPUs; 0 if it is unknown
    ("cpus", || {
        let online = cpus::online().map_or(0, |cpus| cpus.len() as u32);
        online.to_ne_bytes().to_vec()
    }),
    ("reports", || settings::reports().to_ne_bytes().to_vec()),
    ("user_text", || {
        (USER_TEXT.as_ptr() as u64).to_ne_bytes().to_vec()
    }),
];

/// Sets those variables that the object declares.
pub fn fill(object: &mut OpenObject) -> Result<()> {
    for (name, value) in VARIABLES {
        let Some((offset, size)) = place(object, name)? else {
            continue;
        };
        let value = value();
        ensure!(
            size == value.len(),
            "variable `{name}` has {size} bytes in the object, the agent fills in {}",
            value.len()
        );
        write(object, name, offset, &value)?;
    }
    Ok(())
}

/// Offset and size of a variable in `.rodata`.
fn place(object: &OpenObject, name: &str) -> Result<Option<(usize, usize)>> {
    let Some(btf) = btf(object)? else {
        return Ok(None);
    };
    let Some(section) = btf.type_by_name::<DataSec<'_>>(".rodata") else {
        return Ok(None);
    };
    let place = section
        .iter()
        .find(|info| {
            btf.type_by_id::<Var<'_>>(info.ty)
                .is_some_and(|var| var.name().is_some_and(|found| found == name))
        })
        .map(|info| (info.offset as usize, info.size));
    Ok(place)
}

fn write(object: &mut OpenObject, name: &str, offset: usize, value: &[u8]) -> Result<()> {
    let mut rodata = object
        .maps_mut()
        .find(|map| map.name().to_string_lossy().ends_with(".rodata"));
    let slot = rodata
        .as_mut()
        .and_then(|map| map.initial_value_mut())
        .and_then(|bytes| bytes.get_mut(offset..offset + value.len()));
    match slot {
        Some(slot) => {
            slot.copy_from_slice(value);
            Ok(())
        }
        None => anyhow::bail!("variable `{name}` is outside of the object's .rodata"),
    }
}
