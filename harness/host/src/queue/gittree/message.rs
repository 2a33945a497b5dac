// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The author and the message of a patch, as `git am` reads them.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

use super::GitTree;
use crate::env::command;
use crate::queue::series::Patch;

/// The author and the message of a patch.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Name of the author.
    pub author: String,
    /// Mail address of the author.
    pub email: String,
    /// Date of the patch.
    pub date: String,
    /// Subject, an empty line, and the text.
    pub text: String,
}

/// Reads the message of `patch`; `scratch` is a folder for temporary files.
pub fn read(tree: &GitTree, patch: &Patch, scratch: &Path) -> Result<Message> {
    let body = scratch.join("message");
    let diff = scratch.join("diff");
    let head = command::output(
        tree.git(["mailinfo", "--encoding=UTF-8"])
            .arg(&body)
            .arg(&diff)
            .stdin(&patch.text),
    )
    .with_context(|| {
        format!(
            "{} is not a patch in the format of git",
            patch.path.display()
        )
    })?;
    let field = |name: &str| {
        let value = head.lines().find_map(|line| line.strip_prefix(name));
        let value = value.unwrap_or_default().trim().to_owned();
        ensure!(
            !value.is_empty(),
            "{} has no header `{name}`; write it with `git format-patch`",
            patch.path.display()
        );
        Ok(value)
    };
    let text = fs::read(&body)?;
    let text = String::from_utf8_lossy(&text);
    Ok(Message {
        author: field("Author: ")?,
        email: field("Email: ")?,
        date: field("Date: ")?,
        text: format!("{}\n\n{}\n", field("Subject: ")?, text.trim()),
    })
}
