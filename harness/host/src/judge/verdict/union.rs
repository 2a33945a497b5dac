// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Unites the verdicts on the guests of one run: all guests announce the same tests, and each test is
//! handed to exactly one guest.

use std::collections::BTreeMap;

use super::{Evidence, Fault, Verdict};

/// Unites the verdicts on guests. `evidence` has their records in the same order.
pub(super) fn unite(mut guests: Vec<Verdict>, evidence: &[Evidence]) -> Verdict {
    if guests.len() == 1
        && let Some(mut only) = guests.pop()
    {
        only.faults
            .extend(not_handed_out(&only.announced, evidence));
        return only;
    }
    let mut union = Verdict::default();
    // the guest whose lists the others must have
    let mut reference: Option<(usize, Verdict)> = None;
    for (number, guest) in (1..).zip(guests) {
        for fault in &guest.faults {
            add(&mut union.faults, number, fault);
        }
        union.reports.extend(guest.reports.iter().cloned());
        match &reference {
            _ if guest.kernel.is_none() => {}
            None => reference = Some((number, guest)),
            Some((of, first)) => union
                .faults
                .extend(different_lists(*of, first, number, &guest)),
        }
    }
    if let Some((_, first)) = reference {
        union.kernel = first.kernel;
        union.announced = first.announced;
        union.alone = first.alone;
    }
    union.faults.extend(handed_out_twice(evidence));
    union
        .faults
        .extend(not_handed_out(&union.announced, evidence));
    sort(&mut union);
    union
}

/// Adds a fault of a guest. A fault of the objects, the agent or the kernel is the same in every guest and
/// is listed once, without a guest.
fn add(faults: &mut Vec<Fault>, guest: usize, fault: &Fault) {
    if !fault.is_of_every_guest() {
        faults.push(Fault::InGuest {
            guest,
            fault: Box::new(fault.clone()),
        });
    } else if !faults.contains(fault) {
        faults.push(fault.clone());
    }
}

fn different_lists(of: usize, first: &Verdict, guest: usize, other: &Verdict) -> Option<Fault> {
    let is_same = first.announced == other.announced && first.alone == other.alone;
    (!is_same).then(|| {
        let missing = |here: &Verdict, there: &Verdict| -> Vec<String> {
            let missing = there.announced.iter();
            missing
                .filter(|test| !here.announced.contains(test))
                .cloned()
                .collect()
        };
        Fault::DifferentLists {
            of,
            guest,
            missing: missing(other, first),
            more: missing(first, other),
        }
    })
}

fn handed_out_twice(evidence: &[Evidence]) -> impl Iterator<Item = Fault> {
    let mut guests_of: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (guest, evidence) in (1..).zip(evidence) {
        for test in evidence.handed {
            guests_of.entry(test).or_default().push(guest);
        }
    }
    guests_of
        .into_iter()
        .filter(|(_, guests)| guests.len() > 1)
        .map(|(test, guests)| Fault::HandedOutTwice {
            test: test.clone(),
            guests,
        })
}

/// The tests that were handed to no guest, because none was left.
fn not_handed_out(announced: &[String], evidence: &[Evidence]) -> Option<Fault> {
    let handed = |test: &&String| evidence.iter().any(|guest| guest.handed.contains(*test));
    let tests: Vec<String> = announced
        .iter()
        .filter(|test| !handed(test))
        .cloned()
        .collect();
    (!tests.is_empty()).then_some(Fault::NotHandedOut { tests })
}

/// Sorts the reports like the announced tests, and keeps one of each.
fn sort(union: &mut Verdict) {
    let turn = |test: &String| union.announced.iter().position(|other| other == test);
    union.reports.sort_by_key(|report| turn(&report.test));
    union
        .reports
        .dedup_by(|later, first| later.test == first.test);
}
