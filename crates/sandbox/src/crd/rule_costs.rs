//! What the rules of a definition may cost, by estimate
//! (`apiextensions-apiserver/pkg/apis/apiextensions/validation/{validation,cel_validation}.go`).

use admission::{FieldError, FieldPath};

use super::structural::{Additional, Schema};

/// What one expression may cost for all values that it can be about.
const EXPRESSION_LIMIT: u64 = 10_000_000;
/// What all expressions of a schema may cost.
const TOTAL_LIMIT: u64 = 100_000_000;
/// How many expressions are named when all cost too much.
const NAMED: usize = 4;

/// An expression with its estimated cost.
pub struct ExpressionCost {
    /// Its field in a rule.
    pub what: &'static str,
    /// The estimate.
    pub cost: u64,
}

impl ExpressionCost {
    /// What is wrong if it costs too much.
    pub fn error(&self, path: &FieldPath) -> Option<FieldError> {
        let name = format!("estimated {} cost", self.what);
        (self.cost > EXPRESSION_LIMIT).then(|| FieldError::forbidden(path, &excess(&name, self.cost, EXPRESSION_LIMIT)))
    }
}

/// What is wrong if all expressions together cost too much.
pub fn total_errors(mut costs: Vec<(FieldPath, u64)>, path: &FieldPath) -> Vec<FieldError> {
    let total = costs.iter().fold(0_u64, |total, (_, cost)| total.saturating_add(*cost));
    if total <= TOTAL_LIMIT {
        return Vec::new();
    }
    costs.retain(|(_, cost)| *cost >= TOTAL_LIMIT / 100);
    costs.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
    let detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
    let mut errors: Vec<FieldError> =
        costs.iter().take(NAMED).map(|(path, _)| FieldError::forbidden(path, detail)).collect();
    let name = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    errors.push(FieldError::forbidden(path, &excess(name, total, TOTAL_LIMIT)));
    errors
}

#[expect(clippy::cast_precision_loss, reason = "a factor for people")]
fn excess(name: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = if factor > 100.0 {
        String::from("more than 100x")
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{name} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and \
         maxLength where arrays, maps, and strings are declared)"
    )
}

/// How often a part of a schema can occur, given how often the schema can.
pub fn cardinality_below(cardinality: Option<u64>, schema: &Schema) -> Option<u64> {
    let most = match (schema.kind.as_str(), &schema.additional) {
        ("object", Additional::Unsaid) => Some(1),
        ("object", _) => schema.bounds.max_properties,
        ("array", _) => schema.bounds.max_items,
        _ => Some(1),
    };
    cardinality?.checked_mul(u64::try_from(most?).unwrap_or(0)).or(Some(u64::MAX))
}
