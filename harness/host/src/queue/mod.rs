// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The series: its base, the source, the patches, and how they become a tree or mails.

pub(crate) mod apply;
pub(crate) mod base;
pub(crate) mod export;
pub(crate) mod gittree;
pub(crate) mod refresh;
pub(crate) mod series;
pub(crate) mod source;
