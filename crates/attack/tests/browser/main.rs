//! The page of a report, in a real browser.
//!
//! It runs where a Chromium is on the PATH; elsewhere it says so and is ignored.
#![expect(clippy::print_stderr, reason = "a test says why it is ignored")]

mod devtools;
mod sample;

use attack::page::{Story, html};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

use devtools::Tab;
use sample::Protection;

/// What is in a page of `TRIALS` requests may be so large.
const MAX_BYTES: usize = 1_500_000;
const TRIALS: usize = 500;

/// What is done on the page, and what an expression then comes to.
type Step = (&'static str, &'static str, &'static str);

const VISIBLE: &str = "[...document.querySelectorAll('.trial')].filter((trial) => !trial.hidden)";

/// `choose(name, value)` ticks a box, `type(text)` fills the search field, `clear()` resets, `copy()` copies a command.
const STEPS: &[Step] = &[
    ("", "VISIBLE.length", "500"),
    ("", "document.getElementById('filters').hidden", "false"),
    ("", "document.title", "nodebound demo: not proven"),
    ("", "document.querySelectorAll('script').length", "1"),
    ("", "document.images.length", "0"),
    ("", "document.querySelectorAll('.matrix th.attack').length > 15", "true"),
    ("", "[...document.querySelectorAll('.matrix th')].every((heading) => heading.offsetWidth > 0)", "true"),
    ("choose('outcome', 'residual')", "VISIBLE.every((trial) => trial.dataset.outcome === 'residual')", "true"),
    ("", "VISIBLE.length > 0 && VISIBLE.length < 500", "true"),
    ("", "[...document.querySelectorAll('.recipe:not([hidden])')].every((recipe) => recipe.open)", "true"),
    ("", "document.getElementById('found').textContent.startsWith(`Showing ${VISIBLE.length} of 500`)", "true"),
    ("clear()", "VISIBLE.length", "500"),
    ("choose('kind', 'legitimate')", "VISIBLE.every((trial) => trial.dataset.kind === 'legitimate')", "true"),
    ("choose('outcome', 'stopped')", "VISIBLE.length", "0"),
    ("", "document.getElementById('found').textContent", "Nothing matches these filters."),
    ("", "document.getElementById('found').getAttribute('aria-live')", "polite"),
    ("clear(); choose('layer', 'RBAC')", "VISIBLE.every((trial) => trial.dataset.layer === 'RBAC')", "true"),
    ("clear(); type('OWN-NODE worker-2')", "VISIBLE.length > 0 && VISIBLE.length < 500", "true"),
    ("", "VISIBLE.every((trial) => trial.textContent.includes('own-node'))", "true"),
    ("go('#attack-lure-by-taint')", "document.getElementById('attack-lure-by-taint').open", "true"),
    ("", "VISIBLE.length", "500"),
    ("clear(); unfold(true)", "document.querySelectorAll('.trial > details:not([open])').length", "0"),
    ("copy()", "told.then((text) => text === 'Copied' || text === 'Selected')", "true"),
    ("unfold(false)", "document.querySelectorAll('.trial > details[open]').length", "0"),
    ("", "document.querySelectorAll('.command:not(:has(button))').length", "0"),
];

const TOOLS: &str = "
    const form = document.getElementById('filters');
    const clear = () => form.querySelector('[type=reset]').click();
    const choose = (name, value) => form.querySelector(`[name=${name}][value='${value}']`).click();
    const type = (text) => { form.text.value = text; form.text.dispatchEvent(new Event('input', {bubbles: true})); };
    const unfold = (open) => form.querySelector(`[data-unfold=${open}]`).click();
    let told;
    const copy = () => {
      const button = document.querySelector('.copy');
      told = new Promise((resolve) => new MutationObserver(() => resolve(button.textContent)).observe(button, {childList: true}));
      button.click();
    };
    const go = (hash) => { location.hash = hash; };
    const settled = () => new Promise((resolve) => setTimeout(resolve));";

/// What a page must not have: a control without a name, an image that speaks, a table or a heading out of order.
const FAULTS: &str = "
    const faults = [];
    const named = (element) => element.getAttribute('aria-label') || element.labels?.length || element.textContent.trim();
    for (const element of document.querySelectorAll('a, button, input, summary, [role=region], nav, form'))
      if (!named(element)) faults.push(element.outerHTML.slice(0, 80));
    for (const icon of document.querySelectorAll('svg:not([aria-hidden=true])')) faults.push('an icon that speaks');
    for (const table of document.querySelectorAll('table')) {
      if (!table.caption) faults.push('a table without a caption');
      for (const cell of table.querySelectorAll('th:not([scope])')) faults.push(`no scope: ${cell.textContent}`);
    }
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    ids.filter((id, index) => ids.indexOf(id) !== index).forEach((id) => faults.push(`twice: ${id}`));
    for (const link of document.querySelectorAll('a[href^=\"#\"]'))
      if (!document.getElementById(link.hash.slice(1))) faults.push(`leads nowhere: ${link.hash}`);
    let level = 0;
    for (const heading of document.querySelectorAll('h1, h2, h3, h4, h5')) {
      const next = Number(heading.tagName[1]);
      if (next > level + 1) faults.push(`h${level} before h${next}: ${heading.textContent}`);
      level = next;
    }
    for (const hidden of document.querySelectorAll('.matrix [hidden]')) faults.push(`hidden: ${hidden.textContent}`);
    for (const handler of document.querySelectorAll('[onclick], [onerror], [style]')) faults.push('a handler or a style');
    faults";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let browser = devtools::installed();
    if browser.is_none() {
        eprintln!("no Chromium is on the PATH: the tests in a browser are ignored");
    }
    let in_browser = |name: &str, run: fn(&str) -> Result<(), String>| {
        let run = move || run(browser.unwrap_or_default()).map_err(Failed::from);
        Trial::test(name.to_owned(), run).with_ignored_flag(browser.is_none())
    };
    let trials = vec![
        Trial::test("a page of many trials is small", || size().map_err(Failed::from)),
        in_browser("filters, links and buttons work", filters),
        in_browser("everything has a name, and links lead somewhere", faults),
        in_browser("the keyboard is enough", keyboard),
        in_browser("a phone shows it without scrolling sideways", phone),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The page, in a file that stays to be looked at.
fn page() -> Result<PathBuf, String> {
    let (before, report) = (sample::report(Protection::Nothing, TRIALS), sample::report(Protection::Guard, TRIALS));
    let matrix = sample::matrix();
    let story = Story {
        title: "nodebound demo",
        made: "2026-01-02 03:04 UTC",
        before: Some(&before),
        report: &report,
        matrix: Some(&matrix),
    };
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page.html");
    let partial = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
    std::fs::write(partial.path(), html(&story)).map_err(|error| error.to_string())?;
    partial.persist(&path).map_err(|error| error.to_string())?;
    Ok(path)
}

fn size() -> Result<(), String> {
    let path = page()?;
    let bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    match usize::try_from(bytes) {
        Ok(bytes) if bytes <= MAX_BYTES => Ok(()),
        _ => Err(format!("{bytes} bytes for {TRIALS} trials, {MAX_BYTES} at most")),
    }
}

/// Opens the page and does something there; a complaint of the browser is a failure.
fn visit(browser: &str, run: impl FnOnce(&mut Tab) -> Result<(), String>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut tab = Tab::start(browser, folder.path())?;
    tab.open(&format!("file://{}", page()?.display()))?;
    run(&mut tab)?;
    match tab.complaints.as_slice() {
        [] => Ok(()),
        complaints => Err(complaints.join("\n")),
    }
}

fn filters(browser: &str) -> Result<(), String> {
    visit(browser, |tab| {
        tab.evaluate(TOOLS)?;
        let wrong: Vec<String> = STEPS.iter().filter_map(|step| follow(tab, step).err()).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    })
}

fn follow(tab: &mut Tab, (action, expression, expected): &Step) -> Result<(), String> {
    tab.evaluate(&format!("{action}; settled()"))?;
    let found = tab.evaluate(&expression.replace("VISIBLE", VISIBLE))?;
    let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    if found == *expected { Ok(()) } else { Err(format!("{action}: {expression} is {found}, expected {expected}")) }
}

fn faults(browser: &str) -> Result<(), String> {
    visit(browser, |tab| match tab.evaluate(&format!("(() => {{ {FAULTS}; return faults; }})()"))? {
        Value::Array(faults) if faults.is_empty() => Ok(()),
        faults => Err(faults.to_string()),
    })
}

fn keyboard(browser: &str) -> Result<(), String> {
    visit(browser, |tab| {
        tab.press("Tab", "")?;
        equal(&tab.evaluate("document.activeElement.className")?, &json!("skip"))?;
        tab.evaluate("document.querySelector('[name=outcome][value=residual]').focus()")?;
        tab.press(" ", " ")?;
        equal(&tab.evaluate(&format!("{VISIBLE}.length < 500"))?, &json!(true))?;
        tab.evaluate("document.querySelector('#attack-lie-about-the-own-node .trial summary').focus()")?;
        tab.press("Enter", "\r")?;
        equal(&tab.evaluate("document.activeElement.parentElement.open")?, &json!(true))
    })
}

fn phone(browser: &str) -> Result<(), String> {
    visit(browser, |tab| {
        let size = json!({"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true});
        tab.call("Emulation.setDeviceMetricsOverride", size)?;
        tab.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")?;
        equal(&tab.evaluate("document.documentElement.scrollWidth")?, &json!(360))
    })
}

fn equal(found: &Value, expected: &Value) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found}, expected {expected}")) }
}
