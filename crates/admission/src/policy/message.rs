//! The message of a validation that is false.

use super::compile::Rule;
use super::phase::Outcome;
use crate::cel::Value;

/// Longest result of a message expression in bytes (`MaxEvaluatedMessageExpressionSizeBytes`).
const MAX_MESSAGE: usize = 5 * 1024;

/// The message expression's text if it is usable, else the fixed message, else the expression itself.
pub(super) fn choose(rule: &Rule, evaluated: Option<&Outcome<'_>>) -> String {
    let fixed = || Some(rule.message.trim()).filter(|message| !message.is_empty()).map(str::to_owned);
    evaluated
        .and_then(usable)
        .or_else(fixed)
        .unwrap_or_else(|| format!("failed expression: {}", rule.expression.source.trim()))
}

fn usable(outcome: &Outcome<'_>) -> Option<String> {
    let Ok(Value::String(text)) = outcome else {
        return None;
    };
    let text = text.as_str().trim();
    let usable = !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('\n');
    usable.then(|| text.to_owned())
}
