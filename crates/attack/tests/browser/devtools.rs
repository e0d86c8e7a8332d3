//! Chromium without a window, driven through its DevTools protocol over two pipes.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long an answer may take before the browser counts as broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name under which Chromium is installed here, if it is.
pub fn installed() -> Option<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(runs)
}

/// A tab of a running browser.
pub struct Tab {
    browser: Child,
    requests: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What the console, the log and uncaught errors said.
    pub complaints: Vec<String>,
}

impl Drop for Tab {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

impl Tab {
    /// Starts a browser with a profile of its own in `folder`.
    pub fn start(name: &str, folder: &Path) -> Result<Self, String> {
        let profile = format!("--user-data-dir={}", folder.display());
        // The protocol speaks through descriptors 3 and 4. The page is ours, and containers have no sandbox to offer.
        let script = "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null";
        let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"];
        let mut browser = Command::new("sh")
            .args(["-c", script, "sh", name])
            .args(flags)
            .arg(profile)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} cannot be started: {error}"))?;
        let requests = browser.stdin.take().ok_or("the browser has no input")?;
        let output = browser.stdout.take().ok_or("the browser has no output")?;
        let messages = listen(BufReader::new(output));
        let mut tab = Self { browser, requests, messages, session: None, last: 0, complaints: Vec::new() };
        tab.attach()?;
        Ok(tab)
    }

    fn attach(&mut self) -> Result<(), String> {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}))?;
        let session = self.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}))?;
        self.session = session["sessionId"].as_str().map(str::to_owned);
        ["Page", "Runtime", "Log", "Network"]
            .into_iter()
            .try_for_each(|domain| self.call(&format!("{domain}.enable"), json!({})).map(|_| ()))
    }

    /// Opens an address and waits until it is loaded.
    pub fn open(&mut self, address: &str) -> Result<(), String> {
        self.call("Page.navigate", json!({"url": address}))?;
        while self.receive()?["method"] != "Page.loadEventFired" {}
        Ok(())
    }

    /// What an expression comes to on the page.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value, String> {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", parameters)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(format!("{expression}: {details}")),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Presses a key that writes `text`, or none.
    pub fn press(&mut self, key: &str, text: &str) -> Result<(), String> {
        let event = |kind: &str| json!({"type": kind, "key": key, "code": key, "text": text});
        self.call("Input.dispatchKeyEvent", event("keyDown"))?;
        self.call("Input.dispatchKeyEvent", event("keyUp")).map(|_| ())
    }

    /// Calls a method and waits for its answer.
    pub fn call(&mut self, method: &str, parameters: Value) -> Result<Value, String> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let bytes = [message.to_string().into_bytes(), vec![0]].concat();
        self.requests.write_all(&bytes).map_err(|error| format!("{method}: {error}"))?;
        let answer = self.answer_to(self.last)?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}")),
            None => Ok(answer["result"].clone()),
        }
    }

    fn answer_to(&mut self, id: u64) -> Result<Value, String> {
        loop {
            let message = self.receive()?;
            if message["id"] == id {
                return Ok(message);
            }
        }
    }

    fn receive(&mut self) -> Result<Value, String> {
        let message = self.messages.recv_timeout(PATIENCE).map_err(|_| "the browser is silent".to_owned())?;
        let loaded = message["params"]["request"]["url"].as_str().unwrap_or_default();
        let complains = match message["method"].as_str() {
            Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded") => true,
            Some("Network.requestWillBeSent") => !loaded.starts_with("file:") && !loaded.starts_with("data:"),
            _ => false,
        };
        if complains {
            self.complaints.push(message["params"].to_string());
        }
        Ok(message)
    }
}

/// Messages end with a zero byte.
fn listen(mut output: impl BufRead + Send + 'static) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        while output.read_until(0, &mut bytes).is_ok_and(|read| read > 0) {
            let message = serde_json::from_slice(bytes.strip_suffix(&[0]).unwrap_or(&bytes)).unwrap_or_default();
            if sender.send(message).is_err() {
                return;
            }
            bytes.clear();
        }
    });
    receiver
}
