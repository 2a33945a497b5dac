// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The page of the nightly report in Chromium. `make page-test` runs these tests.
//!
//! Screenshots are written to `harness/target/tmp/`.

mod browser;
mod fixture;

use std::path::Path;

use bpf_streams::report::nightly::{CellRecord, Folder, Nightly};
use browser::Browser;

/// Contrast of small text that WCAG 2, level AA, requires.
const CONTRAST: f64 = 4.5;
const NARROW: u32 = 360;
const WIDE: u32 = 1440;

/// A report that is open in a browser.
struct Shown {
    browser: Browser,
    _dir: tempfile::TempDir,
}

fn show(cells: Vec<CellRecord>) -> Shown {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::at(dir.path().join("report")).unwrap();
    Nightly::new(cells).write(&folder).unwrap();
    let page = folder.path("index.html");
    let mut browser = Browser::start();
    browser.open(&page);
    Shown { browser, _dir: dir }
}

impl Shown {
    fn text(&mut self, expression: &str) -> String {
        let value = self.browser.evaluate(expression);
        value.as_str().map(str::to_owned).unwrap_or_default()
    }

    fn truth(&mut self, expression: &str) -> bool {
        self.browser.evaluate(expression) == true
    }

    fn count(&mut self, selector: &str) -> u64 {
        let expression = format!("document.querySelectorAll({selector:?}).length");
        self.browser.evaluate(&expression).as_u64().unwrap()
    }
}

#[test]
#[ignore = "needs Chromium; `make page-test` runs this test"]
fn the_page_is_readable_in_light_and_dark_and_at_any_width() {
    for (night, cells) in [
        ("bad", fixture::bad_night()),
        ("good", vec![fixture::measured()]),
    ] {
        let mut shown = show(cells);
        let mut backgrounds = Vec::new();
        for open in [false, true] {
            let set =
                format!("document.querySelectorAll('details').forEach(d => d.open ||= {open})");
            shown.browser.evaluate(&set);
            for scheme in ["light", "dark"] {
                for width in [NARROW, WIDE] {
                    shown.browser.look(scheme, width);
                    let probe = shown.browser.evaluate(include_str!("probe.js"));
                    let what =
                        format!("{night} night, {scheme}, {width} wide, open: {open}: {probe}");
                    assert!(probe["texts"].as_u64().unwrap() > 20, "{what}");
                    assert!(
                        probe["worst"]["contrast"].as_f64().unwrap() >= CONTRAST,
                        "{what}"
                    );
                    assert!(probe["overflow"].as_i64().unwrap() <= 0, "{what}");
                    backgrounds.push((scheme, probe["background"].as_f64().unwrap()));
                    if !open {
                        let name = format!("page-{night}-{scheme}-{width}.png");
                        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
                        shown.browser.picture(&to);
                    }
                }
            }
        }
        for (scheme, light) in backgrounds {
            assert_eq!(scheme == "light", light > 0.8, "{scheme} has {light}");
            assert_eq!(scheme == "dark", light < 0.05, "{scheme} has {light}");
        }
    }
}

#[test]
#[ignore = "needs Chromium; `make page-test` runs this test"]
fn a_failed_cell_shows_its_failure_without_a_click() {
    let mut shown = show(fixture::bad_night());
    assert!(
        shown
            .text("document.title")
            .starts_with("✗ 3 of 4 cells failed")
    );
    // innerText has visible text only: closed details have none
    let seen = shown.text("document.querySelector('#failed').innerText");
    for want in [
        // a test that differs
        "-| Total held locks = 1",
        "+| Total held locks = 2",
        "in cell 2",
        // a cell with a splat: verdict and console
        "the kernel complained on the console",
        "bpf_stream_read+0x1f0/0x2a0",
        "Last 11 lines of the console",
        "[    4.122188]  __sys_bpf+0x2c1d/0x3f40",
        "13 tests",
        "the guest never reported it",
        // a cell without a result
        "it ended without a result (exit status: 1)",
        "error: the kernel does not compile",
        "make boot-test BASE=v6.12 ARCH=arm64 CONFIG=debug",
    ] {
        assert!(seen.contains(want), "{want} is not shown in\n{seen}");
    }
}

#[test]
#[ignore = "needs Chromium; `make page-test` runs this test"]
fn a_good_night_shows_no_failures() {
    let mut shown = show(vec![
        fixture::good("x86_64", "plain"),
        fixture::good("arm64", "plain"),
    ]);
    assert!(
        shown
            .text("document.title")
            .starts_with("✓ All 2 cells passed")
    );
    assert_eq!(shown.count("#failed"), 0);
    assert_eq!(shown.count(".failed"), 0);
    assert_eq!(shown.count("#cells .passed"), 2);
    let counts = shown.text("document.querySelector('header').innerText");
    assert!(counts.contains("16 tests, 32 runs"), "{counts}");
    assert!(shown.truth(
        "document.querySelector('#environments').textContent.includes('clang version 19.1.7')"
    ));
}

#[test]
#[ignore = "needs Chromium; `make page-test` runs this test"]
fn the_benchmark_is_shown_with_mainline_and_plots() {
    let mut shown = show(vec![fixture::measured()]);
    let seen = shown.text("document.querySelector('#measured').innerText");
    for want in [
        "prints__\"><script>x",
        "620",
        "1240",
        "0.50",
        "scale__prints, 2 CPUs",
    ] {
        assert!(seen.contains(want), "{want} is not shown in\n{seen}");
    }
    assert_eq!(shown.count("#measured svg"), 2);
    assert_eq!(shown.count("script"), 0);
    // two curves with two points each
    assert_eq!(shown.count("#measured figure:first-of-type svg circle"), 4);
}

#[test]
#[ignore = "needs Chromium; `make page-test` runs this test"]
fn output_of_a_program_never_becomes_markup() {
    let mut shown = show(fixture::bad_night());
    assert!(shown.truth("window.injected === undefined"));
    assert_eq!(
        shown.count("script, img, iframe, object, svg, form, base, b[onclick]"),
        0
    );
    assert!(shown.truth(
        "![...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => a.name.startsWith('on')))"
    ));
    let text = shown.text(
        "[...document.querySelectorAll('#selftests pre')].map(p => p.textContent).find(t => t.includes('injected'))",
    );
    for want in [
        "| </pre></details></script><script>window.injected = 1</script>\n",
        "| <img src=x onerror='window.injected = 2'>\n",
        "escape \\x1b[31m, nul \\x00, bytes \\xff\\xfe\\xc3(, turned \\u{202e} around\n",
        "| &lt;b&gt; {{ view.date }} {% raw %}\n",
    ] {
        assert!(text.contains(want), "{want} is not in\n{text}");
    }
    // the content security policy stops scripts that get through
    shown.browser.evaluate(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.injected = 4'; document.body.append(s); })()",
    );
    assert!(shown.truth("window.injected === undefined"));
}

#[test]
#[ignore = "needs Chromium; `make page-test` runs this test"]
fn the_page_loads_nothing_else() {
    let shown = show(fixture::bad_night());
    let requests: Vec<&str> = shown
        .browser
        .events
        .iter()
        .filter(|event| event["method"] == "Network.requestWillBeSent")
        .filter_map(|event| event["params"]["request"]["url"].as_str())
        .collect();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(requests[0].ends_with("/report/index.html"), "{requests:?}");
    assert!(
        !shown.browser.has_event("Log.entryAdded"),
        "{:?}",
        shown.browser.events
    );
    assert!(!shown.browser.has_event("Runtime.exceptionThrown"));
}

#[test]
#[ignore = "needs Chromium; `make page-test` runs this test"]
fn every_link_has_a_visible_target() {
    let mut shown = show(fixture::bad_night());
    let lost = shown.browser.evaluate(
        "[...document.querySelectorAll('a')].map(a => a.getAttribute('href')) \
         .filter(h => !h.startsWith('#') || !document.getElementById(h.slice(1)))",
    );
    assert_eq!(lost, serde_json::json!([]));
    let ids = shown.count("[id]");
    let different = shown
        .browser
        .evaluate("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size");
    assert_eq!(different, ids);
    shown
        .browser
        .evaluate("location.hash = '#selftest-reads__bytewise'");
    assert!(shown.truth(
        "(() => { const at = document.querySelector('#selftest-reads__bytewise').getBoundingClientRect(); return at.top >= 0 && at.top < innerHeight; })()"
    ));
}

#[test]
#[ignore = "needs Chromium; `make page-test` runs this test"]
fn the_page_is_usable_with_the_keyboard() {
    let mut shown = show(fixture::bad_night());
    shown.browser.look("light", WIDE);
    shown.browser.press("Tab", 9, "");
    assert_eq!(shown.text("document.activeElement.textContent"), "Cells");
    shown
        .browser
        .evaluate("document.querySelector('#selftest-reads__bytewise > summary').focus()");
    assert!(shown.truth("document.activeElement.matches(':focus-visible')"));
    shown.browser.press("Enter", 13, "\r");
    let seen = shown.text("document.querySelector('#selftest-reads__bytewise').innerText");
    assert!(seen.contains("| three"), "{seen}");
    assert!(seen.contains("the same in cells 1, 2"), "{seen}");
    // every scrollable part can be focused
    assert_eq!(
        shown.count("pre:not([tabindex]), .scroll:not([tabindex])"),
        0
    );
}
