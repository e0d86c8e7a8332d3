//! Sequences of requests with the answers that kube-apiserver gives, as data.

mod step;
mod values;

use std::path::Path;
use std::time::Duration;

use super::Server;
use step::{Sequence, Step};
use values::Values;

/// How long the server may take until what was written is in force.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends the requests of a file one after the other.
///
/// # Errors
/// If an answer is another one: all that differ.
///
/// # Panics
/// If the file cannot be read.
pub async fn run(server: &Server, file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let sequence: Sequence =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut values = Values::default();
    let mut differences = Vec::new();
    for (number, step) in sequence.steps.iter().enumerate() {
        if server.sandbox().is_none() && step.unasked.is_some() {
            continue;
        }
        let tolerated = server.sandbox().and(step.differs.as_ref());
        let complaint = match (take(server, step, &mut values).await, tolerated) {
            (Err(_), Some(_)) | (Ok(()), None) => continue,
            (Err(difference), None) => difference,
            (Ok(()), Some(why)) => format!("    the answer is the server's; it was said to differ: {why}"),
        };
        differences.push(format!("{}. {}: {}\n{complaint}", number + 1, step.name, step.request));
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

async fn take(server: &Server, step: &Step, values: &mut Values) -> Result<(), String> {
    let mut outcome = Err(String::new());
    let mut answered = None;
    let mut once = async || {
        let answer = step.send(server.exchange(), values).await;
        outcome = step.expect.compare(&answer, values);
        answered = Some(answer);
        outcome.is_ok()
    };
    if step.eventually {
        server.poll(PATIENCE, once).await;
    } else {
        once().await;
    }
    let body = answered.map(|answer| answer.body).unwrap_or_default();
    values.capture(&step.capture, &body)?;
    outcome
}
