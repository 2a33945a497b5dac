// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The limits of the figures: `ci/bench.toml`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use regex::Regex;
use serde::Deserialize;

use super::{Bench, Measurement, ratio};

/// `ci/bench.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aims {
    aim: Vec<Aim>,
    #[serde(default)]
    over: Vec<Over>,
    #[serde(default)]
    flat: Vec<Flat>,
}

/// The largest ratio to mainline of the tests that match.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Aim {
    #[serde(deserialize_with = "regex")]
    tests: Regex,
    ratio: f64,
    reason: String,
}

/// A known excess over an aim on one architecture, with the reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Over {
    test: String,
    arch: String,
    ratio: f64,
    reason: String,
}

/// A test none of whose figures may exceed an earlier one by more than this factor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flat {
    test: String,
    within: f64,
    reason: String,
}

fn regex<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Regex, D::Error> {
    let text = String::deserialize(from)?;
    Regex::new(&text).map_err(serde::de::Error::custom)
}

impl Aims {
    /// The aims of the clone `repo`.
    ///
    /// # Errors
    ///
    /// Where the file is missing or invalid.
    pub fn of_repo(repo: &Path) -> Result<Aims> {
        let path = repo.join("ci/bench.toml");
        let text = fs::read_to_string(&path)?;
        parse(&text).with_context(|| format!("cannot parse {}", path.display()))
    }

    /// The largest ratio to mainline of the tests that match.
    #[must_use]
    pub fn of(&self, test: &str) -> Option<f64> {
        let aim = self.aim.iter().find(|aim| aim.tests.is_match(test));
        aim.map(|aim| aim.ratio)
    }

    /// Compares the figures with the aims.
    #[must_use]
    pub fn judge(&self, bench: &Bench) -> Judgement {
        let mut judgement = Judgement::default();
        if let Some(mainline) = &bench.mainline {
            for row in &bench.ours.rows {
                if let (Some(aim), Some(other)) = (self.of(&row.test), mainline.like(row))
                    && let Some(ratio) = ratio(row, other)
                {
                    judgement.judged += 1;
                    let over = self.over(&row.test, &bench.ours.environment.arch);
                    judgement.take(row, ratio, aim, over);
                }
            }
        }
        for flat in &self.flat {
            let rows: Vec<&Measurement> = bench
                .ours
                .rows
                .iter()
                .filter(|row| row.test == flat.test)
                .collect();
            judgement.wrong.extend(flat.rises(&rows));
        }
        judgement
    }

    fn over(&self, test: &str, arch: &str) -> Option<&Over> {
        self.over
            .iter()
            .find(|over| over.test == test && over.arch == arch)
    }
}

fn parse(text: &str) -> Result<Aims> {
    let aims: Aims = toml::from_str(text)?;
    let reasons = (aims.aim.iter().map(|aim| &aim.reason))
        .chain(aims.over.iter().map(|over| &over.reason))
        .chain(aims.flat.iter().map(|flat| &flat.reason));
    for reason in reasons {
        ensure!(!reason.trim().is_empty(), "every entry needs a reason");
    }
    Ok(aims)
}

impl Flat {
    /// The first figure that exceeds an earlier one too far.
    fn rises(&self, rows: &[&Measurement]) -> Option<String> {
        let mut least: Option<&Measurement> = None;
        for row in rows {
            if let Some(least) = least
                && row.median() as f64 > least.median() as f64 * self.within
            {
                return Some(format!(
                    "{} is more than {} times {}; expected no growth",
                    row.name(),
                    self.within,
                    least.name()
                ));
            }
            if least.is_none_or(|least| row.median() < least.median()) {
                least = Some(row);
            }
        }
        None
    }
}

/// The comparison of the figures with the aims.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Number of figures with an aim.
    pub judged: usize,
    /// Violated aims.
    pub wrong: Vec<String>,
    /// Known excesses, with the reason.
    pub explained: Vec<String>,
}

impl Judgement {
    fn take(&mut self, row: &Measurement, ratio: f64, aim: f64, over: Option<&Over>) {
        let name = row.name();
        match over {
            Some(over) if ratio <= aim => self.wrong.push(format!(
                "{name} is now within {aim:.2} of mainline on {}; remove it from [[over]] in \
                 ci/bench.toml",
                over.arch
            )),
            Some(over) if ratio <= over.ratio => {
                let reason = over.reason.trim();
                self.explained
                    .push(format!("{name} is at {ratio:.2} of mainline: {reason}"));
            }
            None if ratio <= aim => (),
            _ => {
                let most = over.map_or(aim, |over| over.ratio);
                self.wrong.push(format!(
                    "{name} is at {ratio:.2} of mainline; expected at most {most:.2}"
                ));
            }
        }
    }

    /// The comparison in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let over = self.explained.len();
        match self.wrong.len() {
            0 => format!(
                "{} figures with an aim, {over} over it with a reason",
                self.judged
            ),
            some => format!(
                "{} figures with an aim, {over} over it with a reason; {some} aims violated",
                self.judged
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::bench;
    use super::*;

    const AIMS: &str = r#"
        [[aim]]
        tests = "^prints__"
        ratio = 0.5
        reason = "r"
        [[over]]
        test = "prints__known"
        arch = "arm64"
        ratio = 0.7
        reason = "the copy"
        [[flat]]
        test = "reads__backlog"
        within = 1.2
        reason = "r"
    "#;

    fn judged(test: &str, ours: u64, mainline: u64) -> Judgement {
        let note = |much: u64| format!("{much} instructions");
        let bench = bench(&[(test, &[&note(ours)])], &[(test, &[&note(mainline)])]);
        parse(AIMS).unwrap().judge(&bench)
    }

    #[test]
    fn a_ratio_over_its_aim_is_a_violation() {
        assert!(judged("prints__x", 500, 1000).wrong.is_empty());
        assert!(judged("prints__x", 504, 1000).wrong.is_empty());
        let over = judged("prints__x", 506, 1000);
        assert_eq!((over.judged, over.wrong.len()), (1, 1));
        let without_aim = judged("others__x", 5000, 1000);
        assert_eq!((without_aim.judged, without_aim.wrong.len()), (0, 0));
    }

    #[test]
    fn a_known_excess_is_valid_up_to_its_ratio_and_while_it_is_needed() {
        let known = judged("prints__known", 700, 1000);
        assert!(known.wrong.is_empty() && known.explained[0].ends_with("the copy"));
        assert_eq!(judged("prints__known", 706, 1000).wrong.len(), 1);
        let within = judged("prints__known", 500, 1000);
        assert!(within.wrong[0].contains("remove it"), "{within:?}");
    }

    #[test]
    fn growth_is_a_violation() {
        let of = |notes: &[&str]| {
            let bench = bench(&[("reads__backlog", notes)], &[]);
            parse(AIMS).unwrap().judge(&bench).wrong.len()
        };
        let first = "2000 instructions a KiB @ 1 KiB";
        let flat = "1000 instructions a KiB @ 2 KiB";
        assert_eq!(of(&[first, flat, "1200 instructions a KiB @ 3 KiB"]), 0);
        assert_eq!(of(&[first, flat, "1201 instructions a KiB @ 3 KiB"]), 1);
    }

    #[test]
    fn the_aims_of_this_clone_are_valid_and_need_reasons() {
        let repo = crate::env::context::find_repo().unwrap();
        Aims::of_repo(&repo).unwrap();
        assert!(parse(&AIMS.replace("the copy", " ")).is_err());
        assert!(parse(&AIMS.replace("^prints__", "(")).is_err());
    }
}
