// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Names of the kernel's error numbers, for snapshots.

/// The error numbers that the streams and the verifier return.
const NAMES: &[(i64, &str)] = &[
    (1, "EPERM"),
    (2, "ENOENT"),
    (4, "EINTR"),
    (5, "EIO"),
    (7, "E2BIG"),
    (9, "EBADF"),
    (11, "EAGAIN"),
    (12, "ENOMEM"),
    (13, "EACCES"),
    (14, "EFAULT"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (19, "ENODEV"),
    (22, "EINVAL"),
    (28, "ENOSPC"),
    (34, "ERANGE"),
    (35, "EDEADLK"),
    (38, "ENOSYS"),
    (61, "ENODATA"),
    (75, "EOVERFLOW"),
    (95, "EOPNOTSUPP"),
    (110, "ETIMEDOUT"),
    (524, "ENOTSUPP"),
];

/// The number, and its name if it is the negative of a known error: `-28 (ENOSPC)`.
#[must_use]
pub fn describe(value: i64) -> String {
    match NAMES
        .iter()
        .find(|(number, _)| Some(*number) == value.checked_neg())
    {
        Some((_, name)) => format!("{value} ({name})"),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_negative_error_numbers_have_names() {
        assert_eq!(describe(-28), "-28 (ENOSPC)");
        for plain in [0, 28, -4000, i64::MIN] {
            assert_eq!(describe(plain), plain.to_string());
        }
    }
}
