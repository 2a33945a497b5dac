// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The series as mails: the cover letter, and each patch as a reply to it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use crate::queue::series::{COVER_LETTER, Series};

/// A mail and its file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    name: String,
    text: Vec<u8>,
    is_cover: bool,
}

/// The mails of `series`, the cover letter first.
///
/// Message ids contain the key of the series: equal series have equal mails on every machine, and a
/// changed series has new ids.
pub fn thread(cover: &[u8], series: &Series, base: &str) -> Result<Vec<Mail>> {
    let id = |at: usize| {
        format!(
            "<{}.{base}.{at}@bpf-streams.invalid>",
            &series.key()[..KEY_DIGITS]
        )
    };
    let mut mails = vec![Mail {
        name: COVER_LETTER.to_owned(),
        text: with_fields(cover, &format!("Message-ID: {}\n", id(0)))
            .context("the cover letter is not a mail")?,
        is_cover: true,
    }];
    for (at, patch) in series.patches.iter().enumerate() {
        let fields = format!(
            "Message-ID: {}\nIn-Reply-To: {1}\nReferences: {1}\n",
            id(at + 1),
            id(0)
        );
        let text = with_fields(&patch.text, &fields)
            .with_context(|| format!("{} is not a mail", patch.path.display()))?;
        mails.push(Mail {
            name: patch.name.clone(),
            text,
            is_cover: false,
        });
    }
    Ok(mails)
}

/// Enough digits to distinguish versions of a series.
const KEY_DIGITS: usize = 12;

/// The first bytes of a mail in the format of `git format-patch`.
const BEGINS: &[u8] = b"From ";

/// Adds fields to the header of a mail.
fn with_fields(mail: &[u8], fields: &str) -> Result<Vec<u8>> {
    let end = mail.windows(2).position(|two| two == b"\n\n");
    let Some(end) = end.filter(|_| mail.starts_with(BEGINS)) else {
        bail!("expected a line `From …` and a header; write it with `git format-patch`");
    };
    let (head, body) = mail.split_at(end + 1);
    // in an mbox such a line begins the next mail
    let mut lines = body.split(|&byte| byte == b'\n');
    if let Some(line) = lines.find(|line| line.starts_with(BEGINS)) {
        bail!(
            "a line of the text begins with `From `, which ends a mail in an mbox; rephrase it:\n  \
             | {}",
            String::from_utf8_lossy(line)
        );
    }
    Ok([head, fields.as_bytes(), body].concat())
}

/// Writes the mails to `dir`, one file each.
pub fn write(mails: &[Mail], dir: &Path) -> Result<()> {
    fs::create_dir(dir)?;
    for mail in mails {
        fs::write(dir.join(&mail.name), &mail.text)?;
    }
    Ok(())
}

/// The patches in one file, without the cover letter: `git am` fails at a mail without a patch.
pub fn mbox(mails: &[Mail]) -> Vec<u8> {
    let mut text = Vec::new();
    for mail in mails.iter().filter(|mail| !mail.is_cover) {
        text.extend_from_slice(&mail.text);
        if !mail.text.ends_with(b"\n\n") {
            text.push(b'\n');
        }
    }
    text
}
