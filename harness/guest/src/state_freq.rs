// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads each program a second time with `BPF_F_TEST_STATE_FREQ` and compares the verdicts.
//!
//! With this flag the verifier stores and compares its state at every instruction instead of at
//! some: a state comparison that ignores a difference then accepts a program that must be rejected.
//! The second load reuses everything that libbpf prepared for the first. libbpf has no hook between
//! the two, so the linker (`--wrap`, see `build.rs`) redirects its calls of `bpf_prog_load()` to
//! this file.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};
use std::fmt;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use libbpf_rs::libbpf_sys::{self, bpf_insn, bpf_prog_load_opts, bpf_prog_type, size_t};

/// Size of the buffer for the verifier's log, as in `load.rs`.
const LOG_SIZE: usize = 16 << 20;

thread_local! {
    /// Set while this thread loads an object of a test.
    static CHECK: RefCell<Option<Check>> = const { RefCell::new(None) };
}

/// The programs to load twice, and the result so far.
struct Check {
    programs: Vec<String>,
    comparison: Comparison,
}

/// Result of comparing the verdicts of the programs.
#[derive(Debug, Default)]
pub struct Comparison {
    /// How many programs have two verdicts.
    compared: usize,
    differences: Vec<Difference>,
}

impl Comparison {
    /// Whether any two verdicts differ.
    pub fn differs(&self) -> bool {
        !self.differences.is_empty()
    }
}

/// The verifier's decision about a program.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Rejected { errno: i32, message: String },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Accepted => write!(f, "accepts it"),
            Verdict::Rejected { errno, message } => {
                write!(f, "rejects it with errno {errno} ({message})")
            }
        }
    }
}

/// Two verdicts on one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    program: String,
    without: Verdict,
    with: Verdict,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BPF_F_TEST_STATE_FREQ changes the verdict on `{}`: without it the verifier {}, with it \
             the verifier {}",
            self.program, self.without, self.with
        )
    }
}

/// Calls `load`. Each of these programs that is loaded during the call is also loaded with the
/// flag.
pub fn check<T>(programs: Vec<String>, load: impl FnOnce() -> T) -> (T, Comparison) {
    CHECK.set(Some(Check {
        programs,
        comparison: Comparison::default(),
    }));
    let result = load();
    let check = CHECK.take();
    (
        result,
        check.map(|check| check.comparison).unwrap_or_default(),
    )
}

/// Returns an error if verdicts differ without a reason in the test, or a reason is given and none
/// differ.
pub fn check_reason(comparison: &Comparison, expected: Option<&str>) -> Result<(), String> {
    if comparison.compared == 0 {
        return Err(
            "no program was loaded with BPF_F_TEST_STATE_FREQ: is bpf_prog_load() wrapped?"
                .to_owned(),
        );
    }
    match (comparison.differences.as_slice(), expected) {
        ([], None) | ([_, ..], Some(_)) => Ok(()),
        ([], Some(reason)) => Err(format!(
            "`__state_freq_differs(\"{reason}\")`, but BPF_F_TEST_STATE_FREQ changes no verdict: \
             remove it"
        )),
        (differences, None) => {
            let texts: Vec<String> = differences.iter().map(Difference::to_string).collect();
            Err(format!(
                "{}; if this is expected, add `__state_freq_differs(\"why\")` to the test",
                texts.join("; ")
            ))
        }
    }
}

unsafe extern "C" {
    fn __real_bpf_prog_load(
        kind: bpf_prog_type,
        name: *const c_char,
        license: *const c_char,
        insns: *const bpf_insn,
        insn_cnt: size_t,
        opts: *mut bpf_prog_load_opts,
    ) -> c_int;
}

/// Called by libbpf instead of `bpf_prog_load()`.
///
/// # Safety
///
/// As for `bpf_prog_load()`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_bpf_prog_load(
    kind: bpf_prog_type,
    name: *const c_char,
    license: *const c_char,
    insns: *const bpf_insn,
    insn_cnt: size_t,
    opts: *mut bpf_prog_load_opts,
) -> c_int {
    // SAFETY: the caller's arguments, with other options only.
    let load = |opts| unsafe { __real_bpf_prog_load(kind, name, license, insns, insn_cnt, opts) };
    let ret = load(opts);
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    if let Some(program) = name_to_check(name)
        // SAFETY: valid for the call, or NULL.
        && let Some(opts) = unsafe { opts.as_ref() }
        && let Some(without) = first_verdict(ret, opts)
    {
        let with = second_verdict(*opts, load);
        note(Difference {
            program,
            without,
            with,
        });
    }
    // SAFETY: this thread's own variable; libbpf reads it after a failure.
    unsafe { *libc::__errno_location() = errno };
    ret
}

/// The program's name, if it is to be loaded twice.
fn name_to_check(name: *const c_char) -> Option<String> {
    if name.is_null() {
        return None;
    }
    // SAFETY: libbpf passes a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_str().ok()?;
    CHECK.with_borrow(|check| {
        let check = check.as_ref()?;
        let wanted = check.programs.iter().any(|program| program == name);
        wanted.then(|| name.to_owned())
    })
}

/// Counts a pair of verdicts, and stores it if they differ.
fn note(verdicts: Difference) {
    CHECK.with_borrow_mut(|check| {
        if let Some(Check { comparison, .. }) = check {
            comparison.compared += 1;
            if verdicts.with != verdicts.without {
                comparison.differences.push(verdicts);
            }
        }
    });
}

/// The verdict of libbpf's own load. If a load without a log fails, libbpf repeats it with one; the
/// verdict is that of the repeated load.
fn first_verdict(ret: c_int, opts: &bpf_prog_load_opts) -> Option<Verdict> {
    if ret >= 0 {
        return Some(Verdict::Accepted);
    }
    if opts.log_level == 0 || opts.log_buf.is_null() {
        return None;
    }
    // SAFETY: libbpf's log buffer, which holds a C string.
    let log = unsafe { CStr::from_ptr(opts.log_buf) };
    Some(Verdict::Rejected {
        errno: -ret,
        message: last_message(&log.to_string_lossy()),
    })
}

/// Loads with the flag and the options of the first load, and frees the program at once.
fn second_verdict(
    mut opts: bpf_prog_load_opts,
    load: impl Fn(*mut bpf_prog_load_opts) -> c_int,
) -> Verdict {
    opts.prog_flags |= libbpf_sys::BPF_F_TEST_STATE_FREQ;
    opts.log_level = 0;
    opts.log_buf = std::ptr::null_mut();
    opts.log_size = 0;
    let ret = load(&raw mut opts);
    if ret >= 0 {
        // SAFETY: a new fd that nothing else owns.
        drop(unsafe { OwnedFd::from_raw_fd(ret) });
        return Verdict::Accepted;
    }
    // a log is expensive and most programs are accepted, so the first try has none
    let mut log = vec![0u8; LOG_SIZE];
    opts.log_level = 1;
    opts.log_buf = log.as_mut_ptr().cast();
    opts.log_size = u32::try_from(log.len()).unwrap_or(u32::MAX);
    let ret = load(&raw mut opts);
    if ret >= 0 {
        // SAFETY: a new fd that nothing else owns.
        drop(unsafe { OwnedFd::from_raw_fd(ret) });
        return Verdict::Accepted;
    }
    let text = CStr::from_bytes_until_nul(&log).unwrap_or_default();
    Verdict::Rejected {
        errno: -ret,
        message: last_message(&text.to_string_lossy()),
    }
}

/// The last message of a rejection, without the parts that depend on the number of stored states:
/// the statistics after it, and ids, which are numbered in the order of verification. 7.3 appends
/// an explanation, which is dropped too.
fn last_message(log: &str) -> String {
    let message = log
        .lines()
        .take_while(|line| !line.starts_with("Verification failed: "))
        .filter(|line| !line.is_empty() && !line.starts_with("processed "))
        .last()
        .unwrap_or("no message");
    without_ids(message)
}

/// Replaces `id=12` by `id=#`.
fn without_ids(line: &str) -> String {
    let mut parts = line.split("id=");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        text.push_str("id=");
        if rest.len() < part.len() {
            text.push('#');
        }
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "0: R1=ctx() R10=fp0\n\
                       BPF_EXIT instruction in main prog would lead to reference leak\n\
                       processed 12 insns (limit 1000000) max_states_per_insn 0 total_states 3\n";

    fn rejected(errno: i32, message: &str) -> Verdict {
        Verdict::Rejected {
            errno,
            message: message.to_owned(),
        }
    }

    fn difference() -> Difference {
        Difference {
            program: "program".to_owned(),
            without: Verdict::Accepted,
            with: rejected(22, "R0 !read_ok"),
        }
    }

    #[test]
    fn statistics_are_not_a_message() {
        assert_eq!(
            last_message(LOG),
            "BPF_EXIT instruction in main prog would lead to reference leak"
        );
        assert_eq!(last_message(""), "no message");
        let explained =
            "R9 !read_ok\n\nVerification failed: Safety\n\nReason:\n  R9\nprocessed 1 insns\n";
        assert_eq!(last_message(explained), "R9 !read_ok");
    }

    #[test]
    fn ids_are_ignored_and_other_numbers_are_not() {
        let message = |id, insn| {
            last_message(&format!(
                "Unreleased reference id={id} alloc_insn={insn}\nprocessed 1 insns\n"
            ))
        };
        assert_eq!(message(2, 5), "Unreleased reference id=# alloc_insn=5");
        assert_eq!(message(2, 5), message(13, 5));
        assert_ne!(message(2, 5), message(2, 6));
        assert_eq!(last_message("id=none"), "id=none");
    }

    fn comparison(differences: &[Difference]) -> Comparison {
        Comparison {
            compared: 2,
            differences: differences.to_vec(),
        }
    }

    #[test]
    fn differences_and_reasons_must_come_together() {
        assert_eq!(check_reason(&comparison(&[]), None), Ok(()));
        assert_eq!(
            check_reason(&comparison(&[difference()]), Some("it is known")),
            Ok(())
        );

        let unexpected = check_reason(&comparison(&[difference()]), None).expect_err("it differs");
        assert!(unexpected.contains("`program`"), "{unexpected}");
        assert!(unexpected.contains("accepts it"), "{unexpected}");
        assert!(
            unexpected.contains("errno 22 (R0 !read_ok)"),
            "{unexpected}"
        );

        let stale =
            check_reason(&comparison(&[]), Some("it was known")).expect_err("nothing differs");
        assert!(stale.contains("it was known"), "{stale}");

        let unwrapped =
            check_reason(&Comparison::default(), None).expect_err("nothing was loaded twice");
        assert!(unwrapped.contains("wrapped"), "{unwrapped}");
    }

    #[test]
    fn only_programs_of_the_test_are_checked_and_only_during_the_load() {
        let name = |name: &CStr| name_to_check(name.as_ptr());
        assert_eq!(name(c"program"), None);
        let ((), comparison) = check(vec!["program".to_owned()], || {
            assert_eq!(name(c"program").as_deref(), Some("program"));
            assert_eq!(name(c"feature_probe"), None);
            assert_eq!(name_to_check(std::ptr::null()), None);
            note(difference());
            note(Difference {
                with: Verdict::Accepted,
                ..difference()
            });
        });
        assert_eq!(comparison.compared, 2);
        assert_eq!(comparison.differences, [difference()]);
        assert_eq!(name(c"program"), None);
    }

    #[test]
    fn a_failed_load_without_a_log_has_no_verdict() {
        let mut log = *b"R0 !read_ok\nprocessed 1 insns\n\0";
        let mut opts = bpf_prog_load_opts::default();
        assert_eq!(first_verdict(3, &opts), Some(Verdict::Accepted));
        assert_eq!(first_verdict(-22, &opts), None);
        opts.log_level = 1;
        opts.log_buf = log.as_mut_ptr().cast();
        assert_eq!(first_verdict(-22, &opts), Some(rejected(22, "R0 !read_ok")));
    }
}
