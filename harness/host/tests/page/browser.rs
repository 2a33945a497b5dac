// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A headless Chromium, controlled over its debugging pipe: JSON messages that end with NUL. This needs
//! no driver, no port and no further crate.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The browser answers within milliseconds, but later on a machine that builds a kernel.
const PATIENCE: Duration = Duration::from_secs(60);

/// Only what a page needs, and no network.
const FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: Option<ChildStdin>,
    from: Receiver<Value>,
    /// Events received.
    pub events: Vec<Value>,
    session: Option<String>,
    last: u64,
    profile: TempDir,
}

impl Browser {
    /// Starts a browser with a new profile.
    pub fn start() -> Self {
        let program = which::which("chromium").expect(
            "chromium is missing, which the tests of the nightly page need; install it with \
             `apt-get install chromium`",
        );
        let profile = tempfile::tempdir().unwrap();
        let log = fs::File::create(profile.path().join("stderr")).unwrap();
        // Chromium uses descriptors 3 and 4 as the pipe
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null"#, "sh"])
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let (sender, from) = mpsc::channel();
        let answers = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap();
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            to: child.stdin.take(),
            child,
            from,
            events: Vec::new(),
            session: None,
            last: 0,
            profile,
        };
        browser.attach();
        browser
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", attach);
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Network", "Log", "Runtime"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&mut self, path: &Path) {
        self.events.clear();
        let url = format!("file://{}", path.display());
        self.call("Page.navigate", json!({"url": url}));
        while !self.has_event("Page.loadEventFired") {
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// Whether an event of this method was received since the page was opened.
    pub fn has_event(&self, event: &str) -> bool {
        self.events.iter().any(|message| message["method"] == event)
    }

    /// Sets the width of the window and the colour scheme.
    pub fn look(&mut self, scheme: &str, width: u32) {
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": feature}));
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    /// Evaluates an expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// A screenshot of the whole page.
    pub fn picture(&mut self, to: &Path) {
        let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1
        });
        let picture = self.call(
            "Page.captureScreenshot",
            json!({"captureBeyondViewport": true, "clip": clip}),
        );
        let png = picture["data"].as_str().unwrap();
        fs::write(to, BASE64_STANDARD.decode(png).unwrap()).unwrap();
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let sent = match &mut self.to {
            Some(to) => to.write_all(format!("{message}\0").as_bytes()),
            None => Ok(()),
        };
        if let Err(error) = sent {
            panic!("cannot ask chromium for {method}: {error}\n{}", self.said());
        }
        loop {
            let answer = self.receive();
            if answer["id"] == self.last {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn receive(&self) -> Value {
        match self.from.recv_timeout(PATIENCE) {
            Ok(message) => message,
            Err(error) => panic!("chromium does not answer: {error}\n{}", self.said()),
        }
    }

    fn said(&self) -> String {
        let log: PathBuf = self.profile.path().join("stderr");
        fs::read_to_string(log).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium exits when its pipe is closed; killing it first could leave child processes
        self.to = None;
        let _ = self.child.wait();
    }
}
