//! What the audit log says about a request.

use admission::UserInfo;
use serde_json::Value;
use std::collections::BTreeMap;

use super::clock::Clock;
use super::reply::{Content, Reply};
use super::target::{Place, Target};
use crate::audit::{Facts, ObjectReference, Stage, decision};
use crate::rbac::Decision;
use crate::schema::protobuf;

/// What becomes known of a request on its way.
#[derive(Debug, Default)]
pub(super) struct Trail {
    received: String,
    id: String,
    uri: String,
    user_agent: String,
    body: Option<Value>,
    user: UserInfo,
    impersonated: Option<UserInfo>,
    annotations: BTreeMap<String, String>,
}

impl Trail {
    pub fn begin(clock: Clock, id: String, uri: String, user_agent: &str, body: &[u8]) -> Self {
        let body = serde_json::from_slice(body).ok().or_else(|| protobuf::decode(body).ok());
        Self { received: clock.precise(), id, uri, user_agent: user_agent.to_owned(), body, ..Self::default() }
    }

    pub fn asked_by(&mut self, user: &UserInfo, acting: Option<&UserInfo>) {
        self.user = user.clone();
        self.impersonated = acting.cloned();
    }

    pub fn decided(&mut self, by: &Decision) {
        self.annotations.extend(decision(by.allowed, &by.reason));
    }

    /// The line of the log.
    pub fn line(mut self, clock: Clock, target: &Target, reply: &Reply) -> String {
        self.annotations.extend(reply.annotations.clone());
        let goes_on = matches!(reply.content, Content::Stream(..));
        let facts = Facts {
            audit_id: &self.id,
            stage: if goes_on { Stage::ResponseStarted } else { Stage::ResponseComplete },
            request_uri: &self.uri,
            verb: &target.verb,
            user: &self.user,
            impersonated: self.impersonated.as_ref(),
            source_ips: &["127.0.0.1".to_owned()],
            user_agent: &self.user_agent,
            object: target.resource.as_ref().map(|place| reference(place, reply)),
            code: Some(reply.code),
            request_object: self.body.as_ref(),
            response_object: reply.object(),
            received: &self.received,
            staged: &clock.precise(),
            annotations: &self.annotations,
        };
        facts.to_line()
    }
}

fn reference(place: &Place, reply: &Reply) -> ObjectReference {
    let answered = |field: &str| {
        let object = reply.object().filter(|object| object["kind"] != "Status");
        object.and_then(|object| object["metadata"][field].as_str()).unwrap_or_default().to_owned()
    };
    let name = if place.name.is_empty() { answered("name") } else { place.name.clone() };
    ObjectReference {
        resource: place.resource.clone(),
        namespace: place.namespace.clone(),
        name,
        uid: answered("uid"),
        api_group: place.group.clone(),
        api_version: place.version.clone(),
        resource_version: answered("resourceVersion"),
        subresource: place.subresource.clone(),
    }
}
