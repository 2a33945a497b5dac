// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The agent's command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};
use regex_lite::Regex;

use crate::settings::Settings;

const USAGE: &str = "\
usage: bpf-streams-guest [--objects DIR] [--filter REGEX] [--timeout-scale N] [--stress-ms N] [--bpftool]
                         [--list]
       bpf-streams-guest --test-progs PROGRAM

  --objects DIR   directory of the *.bpf.o files (default: /objects)
  --filter REGEX  run only tests whose name matches
  --timeout-scale N  multiply all time limits by N (default: 1)
  --stress-ms N   duration of a stress test in milliseconds (default: 250)
  --bpftool       read the streams of plain tests with bpftool
  --list          print the names of the tests and exit
  --test-progs PROGRAM  run the tests of the kernel tree's test_progs instead of objects";

/// The parsed command line.
pub struct Args {
    /// Directory of the `*.bpf.o` files.
    pub objects: PathBuf,
    /// Run only tests whose name matches.
    pub filter: Option<Regex>,
    /// Settings of the whole run.
    pub settings: Settings,
    /// Print the names of the tests and exit.
    pub list: bool,
    /// Run the tests of this program instead of the objects.
    pub test_progs: Option<PathBuf>,
}

/// Parses this process's command line.
pub fn parse() -> Result<Args> {
    let mut args = Args {
        objects: PathBuf::from("/objects"),
        filter: None,
        settings: Settings::default(),
        list: false,
        test_progs: None,
    };
    let mut parser = Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("objects") => args.objects = parser.value()?.into(),
            Arg::Long("filter") => args.filter = Some(regex(&parser.value()?.string()?)?),
            Arg::Long("timeout-scale") => args.settings.timeout_scale = parser.value()?.parse()?,
            Arg::Long("stress-ms") => {
                args.settings.stress = Duration::from_millis(parser.value()?.parse()?);
            }
            Arg::Long("bpftool") => args.settings.bpftool = true,
            Arg::Long("list") => args.list = true,
            Arg::Long("test-progs") => args.test_progs = Some(parser.value()?.into()),
            Arg::Long("help") => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            other => bail!("{}\n{USAGE}", other.unexpected()),
        }
    }
    Ok(args)
}

fn regex(text: &str) -> Result<Regex> {
    Regex::new(text).with_context(|| format!("`{text}` is not a regular expression"))
}
