// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Hands out the tests of a run to its guests.
//!
//! Each guest announces the same tests and then asks for one at a time, so a slow guest gets fewer. A
//! guest that ends leaves the rest to the others. Tests of the list `alone` come last: the first guest
//! that finds no other test waits until all other guests have ended, and runs them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::events::VmEvent;

/// How long each test took in an earlier run, in microseconds.
pub type Times = BTreeMap<String, u64>;

/// Hands out the tests of a run.
#[derive(Debug)]
pub struct Dispatcher {
    times: Times,
    state: Mutex<State>,
}

/// The place of one guest at a dispatcher. Dropped when the guest has ended.
#[derive(Debug)]
pub struct Seat<'a> {
    dispatcher: &'a Dispatcher,
    guest: usize,
}

/// The answer to a guest that asks for a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run this test.
    Run(String),
    /// There is no further test for this guest.
    Finish,
    /// The dispatcher sends [`VmEvent::AskAgain`] later.
    Wait,
}

#[derive(Debug)]
struct State {
    /// The lists of the first start line.
    announced: Option<Announced>,
    /// Tests that may run at the same time as others.
    shared: VecDeque<String>,
    /// Tests that must run while no other guest runs.
    alone: VecDeque<String>,
    guests: Vec<Guest>,
    /// Whether no test is handed out any more.
    closed: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Announced {
    tests: Vec<String>,
    alone: Vec<String>,
}

#[derive(Debug)]
enum Guest {
    /// It boots, runs a test, or powers off.
    Running,
    /// It waits for all other guests to end.
    Waiting(Sender<VmEvent>),
    /// It has ended.
    Ended,
}

impl Dispatcher {
    /// A dispatcher for this number of guests. Tests are handed out in the order of their `times`,
    /// longest first; unknown ones before all others, in announced order.
    #[must_use]
    pub fn new(guests: usize, times: Times) -> Dispatcher {
        Dispatcher {
            times,
            state: Mutex::new(State {
                announced: None,
                shared: VecDeque::new(),
                alone: VecDeque::new(),
                guests: (0..guests).map(|_| Guest::Running).collect(),
                closed: false,
            }),
        }
    }

    /// The place of a guest, counted from 0.
    #[must_use]
    pub fn seat(&self, guest: usize) -> Seat<'_> {
        Seat {
            dispatcher: self,
            guest,
        }
    }

    /// Hands out no further test: a guest could not be started, so the run has no verdict.
    pub fn close(&self) {
        self.state().closed = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // no function leaves the state half changed
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills the queues with the tests of the first start line.
    fn fill(&self, state: &mut State, announced: Announced) {
        let mut distinct: Vec<String> = Vec::new();
        for test in &announced.tests {
            // a name that is announced twice is a fault of the run
            if !distinct.contains(test) {
                distinct.push(test.clone());
            }
        }
        distinct.sort_by_key(|test| Reverse(self.times.get(test).copied().unwrap_or(u64::MAX)));
        let is_single = state.guests.len() == 1;
        let (alone, shared): (Vec<String>, Vec<String>) = distinct
            .into_iter()
            .partition(|test| !is_single && announced.alone.contains(test));
        state.shared = shared.into();
        state.alone = alone.into();
        state.announced = Some(announced);
    }
}

impl Seat<'_> {
    /// Records the lists of the guest's start line. Returns whether they are those of the other guests; a
    /// guest with other lists gets no test.
    pub fn announce(&self, tests: &[String], alone: &[String]) -> bool {
        let own = Announced {
            tests: tests.to_vec(),
            alone: alone.to_vec(),
        };
        let mut state = self.dispatcher.state();
        match &state.announced {
            Some(announced) => *announced == own,
            None => {
                self.dispatcher.fill(&mut state, own);
                true
            }
        }
    }

    /// The next test of this guest. `wake` gets an event if the answer is [`Next::Wait`].
    pub fn next(&self, wake: &Sender<VmEvent>) -> Next {
        let mut state = self.dispatcher.state();
        state.guests[self.guest] = Guest::Running;
        if state.closed {
            return Next::Finish;
        }
        if let Some(test) = state.shared.pop_front() {
            return Next::Run(test);
        }
        if state.alone.is_empty() {
            return Next::Finish;
        }
        if state
            .others(self.guest)
            .all(|other| matches!(other, Guest::Ended))
        {
            return state.alone.pop_front().map_or(Next::Finish, Next::Run);
        }
        if state
            .others(self.guest)
            .any(|other| matches!(other, Guest::Waiting(_)))
        {
            return Next::Finish;
        }
        state.guests[self.guest] = Guest::Waiting(wake.clone());
        Next::Wait
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut state = self.dispatcher.state();
        state.guests[self.guest] = Guest::Ended;
        for (guest, place) in state.guests.iter().enumerate() {
            if let Guest::Waiting(wake) = place
                && state
                    .others(guest)
                    .all(|other| matches!(other, Guest::Ended))
            {
                // the receiver is gone only if that guest is ending as well
                let _ = wake.send(VmEvent::AskAgain);
            }
        }
    }
}

impl State {
    fn others(&self, guest: usize) -> impl Iterator<Item = &Guest> {
        let others = self.guests.iter().enumerate();
        others
            .filter(move |(other, _)| *other != guest)
            .map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver};

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn times(times: &[(&str, u64)]) -> Times {
        times
            .iter()
            .map(|&(test, micros)| (test.to_owned(), micros))
            .collect()
    }

    fn run(test: &str) -> Next {
        Next::Run(test.to_owned())
    }

    fn woken(received: &Receiver<VmEvent>) -> bool {
        matches!(received.try_recv(), Ok(VmEvent::AskAgain))
    }

    #[test]
    fn unknown_tests_come_first_and_then_the_longest() {
        let dispatcher = Dispatcher::new(2, times(&[("a", 1), ("c", 9), ("d", 5)]));
        let (wake, _received) = mpsc::channel();
        let seats = [dispatcher.seat(0), dispatcher.seat(1)];
        for seat in &seats {
            assert!(seat.announce(&names(&["a", "b", "c", "d", "e"]), &[]));
        }
        let order: Vec<Next> = (0..6).map(|turn| seats[turn % 2].next(&wake)).collect();
        let expected = ["b", "e", "c", "d", "a"].map(run);
        assert_eq!(order[..5], expected);
        assert_eq!(order[5], Next::Finish);
    }

    #[test]
    fn a_single_guest_without_times_runs_the_tests_as_announced() {
        let dispatcher = Dispatcher::new(1, Times::new());
        let (wake, _received) = mpsc::channel();
        let seat = dispatcher.seat(0);
        seat.announce(&names(&["b", "a", "b", "c"]), &names(&["a"]));
        let order = [(); 4].map(|()| seat.next(&wake));
        assert_eq!(order, [run("b"), run("a"), run("c"), Next::Finish]);
    }

    #[test]
    fn tests_that_run_alone_wait_for_the_end_of_all_other_guests() {
        let dispatcher = Dispatcher::new(3, Times::new());
        let (wake, received) = mpsc::channel();
        let (first, second, third) = (dispatcher.seat(0), dispatcher.seat(1), dispatcher.seat(2));
        for seat in [&first, &second, &third] {
            seat.announce(&names(&["whole", "a"]), &names(&["whole"]));
        }
        assert_eq!(first.next(&wake), run("a"));
        assert_eq!(second.next(&wake), Next::Wait);
        assert_eq!(third.next(&wake), Next::Finish);
        // powering off is not the end
        assert!(!woken(&received));
        drop(third);
        assert_eq!(first.next(&wake), Next::Finish);
        assert!(!woken(&received));
        drop(first);
        assert!(woken(&received));
        assert_eq!(second.next(&wake), run("whole"));
        assert_eq!(second.next(&wake), Next::Finish);
    }

    #[test]
    fn a_guest_that_ends_leaves_the_rest_to_the_others() {
        let dispatcher = Dispatcher::new(2, Times::new());
        let (wake, _received) = mpsc::channel();
        let (first, second) = (dispatcher.seat(0), dispatcher.seat(1));
        first.announce(&names(&["a", "b", "whole"]), &names(&["whole"]));
        assert_eq!(first.next(&wake), run("a"));
        drop(first);
        second.announce(&names(&["a", "b", "whole"]), &names(&["whole"]));
        assert_eq!(second.next(&wake), run("b"));
        assert_eq!(second.next(&wake), run("whole"));
        assert_eq!(second.next(&wake), Next::Finish);
    }

    #[test]
    fn another_guest_waits_after_the_end_of_a_waiting_one() {
        let dispatcher = Dispatcher::new(3, Times::new());
        let (wake, received) = mpsc::channel();
        let (first, second, third) = (dispatcher.seat(0), dispatcher.seat(1), dispatcher.seat(2));
        first.announce(&names(&["a", "whole"]), &names(&["whole"]));
        assert_eq!(first.next(&wake), run("a"));
        assert_eq!(second.next(&wake), Next::Wait);
        drop(second);
        assert_eq!(first.next(&wake), Next::Wait);
        drop(third);
        assert!(woken(&received));
        assert_eq!(first.next(&wake), run("whole"));
    }

    #[test]
    fn a_guest_with_other_lists_is_recognised() {
        let dispatcher = Dispatcher::new(2, Times::new());
        let (first, second) = (dispatcher.seat(0), dispatcher.seat(1));
        assert!(first.announce(&names(&["a", "b"]), &names(&["b"])));
        assert!(!second.announce(&names(&["a", "b"]), &[]));
        assert!(!second.announce(&names(&["b", "a"]), &names(&["b"])));
    }

    #[test]
    fn a_closed_dispatcher_hands_out_nothing() {
        let dispatcher = Dispatcher::new(1, Times::new());
        let (wake, _received) = mpsc::channel();
        let seat = dispatcher.seat(0);
        seat.announce(&names(&["a"]), &[]);
        dispatcher.close();
        assert_eq!(seat.next(&wake), Next::Finish);
    }
}
