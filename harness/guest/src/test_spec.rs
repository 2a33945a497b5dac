// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The attributes of a test (`selftests/selftest.h`), read from the object's BTF.

use std::collections::BTreeMap;
use std::str::FromStr;

use libbpf_rs::btf::types::{DeclTag, Func};
use libbpf_rs::btf::{Btf, BtfType, ReferencesType};

/// Prefix of the project's decl tags.
const PREFIX: &str = "streams:";

/// The attribute for a difference from mainline on the agent's own architecture, and on the other
/// one.
const OWN_ARCH_NOT_IN_MAINLINE: &str = if cfg!(target_arch = "aarch64") {
    "not_in_mainline_on_arm64"
} else {
    "not_in_mainline_on_x86_64"
};
const OTHER_ARCH_NOT_IN_MAINLINE: &str = if cfg!(target_arch = "aarch64") {
    "not_in_mainline_on_x86_64"
} else {
    "not_in_mainline_on_arm64"
};

/// How to run a test where "load, run once, read" is not enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestSpec {
    /// Not a test: loaded only with tests that name it.
    pub auxiliary: bool,
    /// Other programs of the object to load, and to attach if their type is attached.
    pub load_with: Vec<String>,
    /// Number of runs.
    pub repeat: u32,
    /// The trigger that makes an attached program run; see `trigger.rs`.
    pub trigger: Option<String>,
    /// Wait until stdout has given this many bytes.
    pub wait_stdout: usize,
    /// Wait until stderr has given this many bytes.
    pub wait_stderr: usize,
    /// The scenario to run; see `scenario.rs`.
    pub scenario: Option<String>,
    /// Skip the test unless these features are available; see `feature.rs`.
    pub requires: Vec<String>,
    /// Why no other guest may run at the same time; reported to the host, which names the tests.
    pub alone: Option<String>,
    /// Why the result differs in mainline; reported to the host, which compares the kernels.
    pub not_in_mainline: Option<String>,
    /// Why `BPF_F_TEST_STATE_FREQ` changes the verdict; see `state_freq.rs`.
    pub state_freq_differs: Option<String>,
}

impl Default for TestSpec {
    fn default() -> TestSpec {
        TestSpec {
            auxiliary: false,
            load_with: Vec::new(),
            repeat: 1,
            trigger: None,
            wait_stdout: 0,
            wait_stderr: 0,
            scenario: None,
            requires: Vec::new(),
            alone: None,
            not_in_mainline: None,
            state_freq_differs: None,
        }
    }
}

impl TestSpec {
    /// Adds one attribute, such as `load_with=helper`.
    fn add(&mut self, attribute: &str) -> Result<(), String> {
        let (key, value) = attribute
            .split_once('=')
            .ok_or_else(|| format!("attribute `{attribute}` has no value"))?;
        match key {
            "auxiliary" => self.auxiliary = true,
            "load_with" => self.load_with.push(value.to_owned()),
            "repeat" => self.repeat = number(attribute, value)?,
            "trigger" => self.trigger = Some(value.to_owned()),
            "wait_stdout" => self.wait_stdout = number(attribute, value)?,
            "wait_stderr" => self.wait_stderr = number(attribute, value)?,
            "scenario" => self.scenario = Some(value.to_owned()),
            "requires" => self.requires.push(value.to_owned()),
            "alone" => self.alone = Some(value.to_owned()),
            "not_in_mainline" | OWN_ARCH_NOT_IN_MAINLINE => {
                self.not_in_mainline = Some(value.to_owned());
            }
            OTHER_ARCH_NOT_IN_MAINLINE => {}
            "state_freq_differs" => self.state_freq_differs = Some(value.to_owned()),
            _ => {
                return Err(format!(
                    "unknown attribute `{key}`; known attributes are in selftests/selftest.h"
                ));
            }
        }
        Ok(())
    }
}

fn number<T: FromStr>(attribute: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("attribute `{attribute}` takes a number"))
}

/// The specs by function name. An error in one function's attributes affects only that function.
pub fn read(btf: &Btf<'_>) -> BTreeMap<String, Result<TestSpec, String>> {
    let tags: Vec<(String, String)> = btf
        .type_by_kind::<DeclTag<'_>>()
        .filter_map(|tag| Some((function(tag.referenced_type())?, attribute(&tag)?)))
        .collect();
    collect(tags)
}

fn function(tagged: BtfType<'_>) -> Option<String> {
    let function = Func::try_from(tagged).ok()?;
    Some(function.name()?.to_str()?.to_owned())
}

fn attribute(tag: &DeclTag<'_>) -> Option<String> {
    Some(tag.name()?.to_str()?.strip_prefix(PREFIX)?.to_owned())
}

/// The order of a function's tags in BTF is undefined, so `load_with` and `requires` are sorted.
fn collect(mut tags: Vec<(String, String)>) -> BTreeMap<String, Result<TestSpec, String>> {
    tags.sort();
    let mut all = BTreeMap::new();
    for (function, attribute) in tags {
        let spec = all
            .entry(function)
            .or_insert_with(|| Ok(TestSpec::default()));
        if let Ok(parsed) = spec
            && let Err(error) = parsed.add(&attribute)
        {
            *spec = Err(error);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec_of(attributes: &[&str]) -> Result<TestSpec, String> {
        let tags = attributes
            .iter()
            .map(|a| ("f".to_owned(), (*a).to_owned()))
            .collect();
        collect(tags)
            .remove("f")
            .unwrap_or_else(|| Ok(TestSpec::default()))
    }

    #[test]
    fn every_attribute_is_parsed() {
        let expected = TestSpec {
            auxiliary: true,
            load_with: vec!["a".into(), "b".into()],
            repeat: 3,
            trigger: Some("getpgid".into()),
            wait_stdout: 46,
            wait_stderr: 7,
            scenario: Some("fill".into()),
            requires: vec!["nmi".into(), "two_cpus".into()],
            alone: Some("it measures time".into()),
            not_in_mainline: Some("it has no such = sign".into()),
            state_freq_differs: Some("a loop converges".into()),
        };
        let attributes = [
            "auxiliary=1",
            "load_with=b",
            "load_with=a",
            "repeat=3",
            "trigger=getpgid",
            "wait_stdout=46",
            "wait_stderr=7",
            "scenario=fill",
            "requires=two_cpus",
            "requires=nmi",
            "alone=it measures time",
            "not_in_mainline=it has no such = sign",
            "state_freq_differs=a loop converges",
        ];
        assert_eq!(spec_of(&attributes), Ok(expected));
    }

    #[test]
    fn differences_on_the_other_architecture_are_ignored() {
        let own = format!("{OWN_ARCH_NOT_IN_MAINLINE}=it has none");
        let other = format!("{OTHER_ARCH_NOT_IN_MAINLINE}=it has none");
        let why = |attribute: &str| spec_of(&[attribute]).unwrap().not_in_mainline;
        assert_eq!(why(&own).as_deref(), Some("it has none"));
        assert_eq!(why(&other), None);
    }

    #[test]
    fn invalid_attributes_are_errors() {
        for wrong in [
            "repeat=often",
            "repeat=-1",
            "auxiliary",
            "wiht=a",
            "state_freq_differs",
            "not_in_mainline_on_mips=a",
        ] {
            let mistake = spec_of(&[wrong, "repeat=2"]).expect_err(wrong);
            let key = wrong.split('=').next().unwrap_or(wrong);
            assert!(mistake.contains(key), "{wrong}: {mistake}");
        }
    }
}
