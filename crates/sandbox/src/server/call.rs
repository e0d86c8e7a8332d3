//! One authorized request on a resource.

use admission::UserInfo;
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;

use super::target::{Place, Query};
use crate::failure::Failure;
use crate::resource::{GroupResource, Resource};

/// One authorized request on a resource.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub user: UserInfo,
    pub verb: String,
    pub place: Place,
    pub resource: Arc<Resource>,
    pub query: Query,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn group_resource(&self) -> GroupResource {
        self.resource.group_resource()
    }

    /// The namespace that the object is stored in.
    pub fn namespace(&self) -> &str {
        if self.resource.namespaced { &self.place.namespace } else { "" }
    }

    pub fn header(&self, name: http::header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The media type of the body, without its parameters.
    pub fn media_type(&self) -> &str {
        self.header(http::header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim()
    }

    /// Who owns what is written if the query does not say: the first part of the user agent.
    pub fn default_manager(&self) -> &str {
        match self.header(http::header::USER_AGENT).split('/').next().unwrap_or_default() {
            "" => "unknown",
            agent => agent,
        }
    }

    /// 404 for the object that the path names.
    pub fn not_found(&self) -> Failure {
        Failure::not_found(&self.group_resource(), &self.place.name)
    }
}
