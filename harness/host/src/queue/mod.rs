// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The series: base, source, patches, and what makes a tree or mails of them.

pub mod apply;
pub mod base;
pub mod export;
pub mod gittree;
pub mod refresh;
pub mod series;
pub mod source;
