// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Whether an ELF file is static or needs a dynamic loader.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;

/// How a program file is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// An ELF file without an interpreter.
    Static,
    /// An ELF file with an interpreter.
    Dynamic,
    /// Not an ELF file, for example a script.
    NotElf,
}

const PT_INTERP: u32 = 3;

/// The linkage of the file at `path`, from its program headers.
pub fn linkage(path: &Path) -> Result<Linkage> {
    let bytes = fs::read(path)?;
    Ok(parse(&bytes))
}

/// Parses 64-bit little-endian ELF, which all supported architectures use; any other file is
/// [`Linkage::NotElf`].
fn parse(bytes: &[u8]) -> Linkage {
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return Linkage::NotElf;
    }
    let number = |at: usize, size: usize| -> Option<u64> {
        let field = bytes.get(at..at.checked_add(size)?)?;
        Some(field.iter().rev().fold(0, |n, &b| (n << 8) | u64::from(b)))
    };
    let headers = || -> Option<bool> {
        let first = usize::try_from(number(0x20, 8)?).ok()?;
        let size = usize::try_from(number(0x36, 2)?).ok()?;
        let count = usize::try_from(number(0x38, 2)?).ok()?;
        for index in 0..count {
            let at = first.checked_add(index.checked_mul(size)?)?;
            if number(at, 4)? == u64::from(PT_INTERP) {
                return Some(true);
            }
        }
        Some(false)
    };
    match headers() {
        Some(true) => Linkage::Dynamic,
        Some(false) => Linkage::Static,
        None => Linkage::NotElf,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with program headers of these types.
    fn elf(types: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 0x40];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[0x20] = 0x40;
        bytes[0x36] = 0x38;
        bytes[0x38] = types.len() as u8;
        for kind in types {
            let mut header = [0; 0x38];
            header[..4].copy_from_slice(&kind.to_le_bytes());
            bytes.extend(header);
        }
        bytes
    }

    #[test]
    fn a_file_with_an_interpreter_is_dynamic() {
        assert_eq!(parse(&elf(&[1, PT_INTERP])), Linkage::Dynamic);
        assert_eq!(parse(&elf(&[1, 2])), Linkage::Static);
    }

    #[test]
    fn scripts_and_truncated_files_are_not_elf() {
        assert_eq!(parse(b"#!/bin/sh\n"), Linkage::NotElf);
        assert_eq!(parse(b""), Linkage::NotElf);
        let mut cut = elf(&[1, PT_INTERP]);
        cut.truncate(0x41);
        assert_eq!(parse(&cut), Linkage::NotElf);
    }

    #[test]
    fn the_test_program_is_dynamic() {
        let own = std::env::current_exe().unwrap();
        assert_eq!(linkage(&own).unwrap(), Linkage::Dynamic);
    }
}
