// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Names of errnos, for notes.

use std::io;

const NAMES: &[(i32, &str)] = &[
    (libc::EPERM, "EPERM"),
    (libc::ENOENT, "ENOENT"),
    (libc::EINTR, "EINTR"),
    (libc::E2BIG, "E2BIG"),
    (libc::EBADF, "EBADF"),
    (libc::EAGAIN, "EAGAIN"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::EACCES, "EACCES"),
    (libc::EFAULT, "EFAULT"),
    (libc::EBUSY, "EBUSY"),
    (libc::ENODEV, "ENODEV"),
    (libc::EINVAL, "EINVAL"),
    (libc::EMFILE, "EMFILE"),
    (libc::ENOSPC, "ENOSPC"),
    (libc::ESPIPE, "ESPIPE"),
    (libc::ERANGE, "ERANGE"),
];

/// `-EINVAL`, or the system's text for an errno without a name in [`NAMES`].
pub fn describe(error: &io::Error) -> String {
    NAMES
        .iter()
        .find(|(number, _)| Some(*number) == error.raw_os_error())
        .map_or_else(|| error.to_string(), |(_, name)| format!("-{name}"))
}

/// The count that a call returned, or the name of its errno.
pub fn describe_result(result: &io::Result<usize>) -> String {
    match result {
        Ok(count) => count.to_string(),
        Err(error) => describe(error),
    }
}
