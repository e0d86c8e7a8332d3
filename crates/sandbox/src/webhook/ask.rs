//! Asking webhooks, and understanding their answers.

use admission::AdmissionRequest;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Due;
use super::exchange::{Unanswered, post};
use crate::failure::{Aside, Failure};

/// Asks the webhooks, all at once, and returns what they warn of.
///
/// # Errors
/// The first refusal; a webhook without a usable answer refuses, unless its `failurePolicy` is `Ignore`.
pub async fn ask(due: Vec<Due>, request: &AdmissionRequest) -> Result<Vec<String>, Failure> {
    if let Some(hook) = due.iter().find(|hook| request.dry_run && !hook.harmless) {
        return Err(Failure::bad_request(format!("admission webhook \"{}\" does not support dry run", hook.name)));
    }
    let answers = join_all(due.iter().map(|hook| ask_one(hook, request))).await;
    let mut warnings = Vec::new();
    for answer in answers {
        warnings.extend(answer?);
    }
    Ok(warnings)
}

async fn ask_one(hook: &Due, request: &AdmissionRequest) -> Result<Vec<String>, Failure> {
    let review = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request});
    let answer = tokio::time::timeout(hook.patience, post(&hook.address, review.to_string().into_bytes())).await;
    let answer = answer.unwrap_or_else(|_| Err(Unanswered("context deadline exceeded".to_owned())));
    let url = &hook.address.url;
    let understood = match answer {
        Ok(bytes) => understand(&bytes, &request.uid),
        Err(error) => Err(format!("failed to call webhook: Post \"{url}\": {error}")),
    };
    match understood {
        Ok(response) => judge(hook, &response),
        Err(_) if hook.lenient => Ok(Vec::new()),
        Err(error) => Err(uncallable(hook, &error)),
    }
}

fn understand(bytes: &[u8], uid: &str) -> Result<Value, String> {
    let review: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("received invalid webhook response: {error}"))?;
    let is = |field: &str, wanted: &str| review[field] == wanted;
    if !is("kind", "AdmissionReview") || !is("apiVersion", "admission.k8s.io/v1") {
        let told = |field: &str| review[field].as_str().unwrap_or_default();
        let (version, kind) = (told("apiVersion"), told("kind"));
        return Err(format!(
            "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {version}, Kind={kind}"
        ));
    }
    let response = &review["response"];
    if !response.is_object() {
        return Err("webhook response was absent".to_owned());
    }
    if response["uid"] != uid {
        let given = response["uid"].as_str().unwrap_or_default();
        return Err(format!("received invalid webhook response: expected response.uid=\"{uid}\", got \"{given}\""));
    }
    Ok(response.clone())
}

fn judge(hook: &Due, response: &Value) -> Result<Vec<String>, Failure> {
    let warnings = response["warnings"].as_array().into_iter().flatten();
    let warnings = warnings.filter_map(Value::as_str).map(str::to_owned).collect();
    if response["allowed"] == true {
        return Ok(warnings);
    }
    let status = &response["status"];
    let reason = status["message"].as_str().or_else(|| status["reason"].as_str()).filter(|text| !text.is_empty());
    let name = &hook.name;
    let message = match reason {
        Some(reason) => format!("admission webhook \"{name}\" denied the request: {reason}"),
        None => format!("admission webhook \"{name}\" denied the request without explanation"),
    };
    let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (400..600).contains(code)).unwrap_or(403);
    Err(Failure::bare(code, named(status, code), message).with(Aside { warnings, ..Aside::default() }))
}

/// The reason that a webhook gave, if it is one of the usual ones, or the usual one of its code.
fn named(status: &Value, code: u16) -> &'static str {
    let known = ["Forbidden", "Invalid", "BadRequest", "NotFound", "Conflict", "Unauthorized", "TooManyRequests"];
    let given = known.into_iter().find(|reason| status["reason"] == *reason);
    given.unwrap_or(if code == 403 && status["reason"].as_str().unwrap_or_default().is_empty() {
        "Forbidden"
    } else {
        ""
    })
}

fn uncallable(hook: &Due, error: &str) -> Failure {
    let text = format!("failed calling webhook \"{}\": {error}", hook.name);
    let mut failure = Failure::new(500, "InternalError", format!("Internal error occurred: {text}"));
    let causes = json!([{"message": text}]);
    failure.details.get_or_insert_default().insert("causes".to_owned(), causes);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_to_this_request_counts() {
        let answer = |review: Value| understand(review.to_string().as_bytes(), "u1");
        let head = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"});
        let with = |response: Value| {
            let mut review = head.clone();
            review["response"] = response;
            review
        };
        assert!(answer(with(json!({"uid": "u1", "allowed": true}))).is_ok());
        for wrong in [with(json!({"uid": "u2", "allowed": true})), head.clone(), json!({}), json!([]), json!("yes")] {
            assert!(answer(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(understand(b"yes", "u1").is_err());
    }

    #[test]
    fn a_refusal_names_the_webhook() {
        let hook = Due {
            name: "a.b.c".to_owned(),
            address: super::super::Address::of(&Default::default(), &Default::default(), 1),
            patience: std::time::Duration::from_secs(1),
            lenient: false,
            harmless: true,
        };
        let table = [
            (json!({}), 403, "admission webhook \"a.b.c\" denied the request without explanation"),
            (json!({"status": {"message": "no"}}), 403, "admission webhook \"a.b.c\" denied the request: no"),
            (
                json!({"status": {"message": "no", "code": 418}}),
                418,
                "admission webhook \"a.b.c\" denied the request: no",
            ),
            (
                json!({"allowed": "true", "status": {"code": 200}}),
                403,
                "admission webhook \"a.b.c\" denied the request without explanation",
            ),
        ];
        for (response, code, message) in table {
            let failure = judge(&hook, &response).expect_err("is refused");
            assert_eq!((failure.code, failure.message.as_str()), (code, message), "{response}");
        }
    }
}
