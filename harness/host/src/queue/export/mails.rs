// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The series as mails: the cover letter, and each patch as a reply to it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::queue::series::Series;

/// A mail, and the name of the file that it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    name: String,
    text: Vec<u8>,
    is_cover: bool,
}

/// The mails of `series`, the cover letter first.
///
/// The ids are made of the series itself: the same series gives the same mails on every machine, and
/// a changed one gives others, as a new version of it should.
pub fn thread(cover: &[u8], series: &Series, base: &str) -> Result<Vec<Mail>> {
    let id = |at: usize| {
        format!(
            "<{}.{base}.{at}@bpf-streams.invalid>",
            &series.key()[..KEY_DIGITS]
        )
    };
    let mut mails = vec![Mail {
        name: super::COVER_LETTER.to_owned(),
        text: with_fields(cover, &format!("Message-ID: {}\n", id(0)))
            .context("the cover letter is no mail")?,
        is_cover: true,
    }];
    for (at, patch) in series.patches.iter().enumerate() {
        let fields = format!(
            "Message-ID: {}\nIn-Reply-To: {1}\nReferences: {1}\n",
            id(at + 1),
            id(0)
        );
        let text = with_fields(&patch.text, &fields)
            .with_context(|| format!("{} is no mail", patch.path.display()))?;
        mails.push(Mail {
            name: patch.name.clone(),
            text,
            is_cover: false,
        });
    }
    Ok(mails)
}

/// Enough to tell two versions of a series apart.
const KEY_DIGITS: usize = 12;

/// What a mail begins with in a file, as `git format-patch` writes it.
const BEGINS: &[u8] = b"From ";

/// Adds fields to the head of a mail.
fn with_fields(mail: &[u8], fields: &str) -> Result<Vec<u8>> {
    let end = mail.windows(2).position(|two| two == b"\n\n");
    let Some(end) = end.filter(|_| mail.starts_with(BEGINS)) else {
        bail!(
            "it does not begin with a line `From …` and a head; write it with `git format-patch`"
        );
    };
    let (head, body) = mail.split_at(end + 1);
    // in an mbox such a line would be the beginning of the next mail
    let mut lines = body.split(|&byte| byte == b'\n');
    if let Some(line) = lines.find(|line| line.starts_with(BEGINS)) {
        bail!(
            "a line of its text begins with `From `, which ends a mail in an mbox; word it \
             otherwise:\n  | {}",
            String::from_utf8_lossy(line)
        );
    }
    Ok([head, fields.as_bytes(), body].concat())
}

/// Writes the mails to `dir`, a file each.
pub fn write(mails: &[Mail], dir: &Path) -> Result<()> {
    fs::create_dir(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for mail in mails {
        super::write_file(&dir.join(&mail.name), &mail.text)?;
    }
    Ok(())
}

/// The patches in one file. The cover letter is left out: `git am` stops at a mail without a patch.
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
