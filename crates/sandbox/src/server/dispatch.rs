//! From a request to its answer: who asks, whether he may, what serves the path.

use admission::UserInfo;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, IF_NONE_MATCH, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};
use regex::Regex;
use std::sync::{Arc, LazyLock};

use super::below::Chosen;
use super::call::Call;
use super::change::{Change, Stored};
use super::removal::DeleteOptions;
use super::reply::{Content, Reply};
use super::sandbox::{Inner, Peer};
use super::state::State;
use super::target::{Place, Query, Target};
use super::trail::Trail;
use super::{hooks, reviews, tokens, trouble, watching};
use crate::discovery::{self, DiscoveryRequest};
use crate::failure::Failure;
use crate::identity::authenticator::bearer;
use crate::identity::{self, impersonation};
use crate::openapi::answer::{DocumentAnswer, DocumentRequest};
use crate::rbac::{self, Attributes};
use crate::resource::Resource;

/// How often a change is computed again that others overtook.
const ATTEMPTS: usize = 5;

/// A request that came in.
pub(super) struct Incoming {
    inner: Arc<Inner>,
    peer: Peer,
    method: Method,
    target: Target,
    query: Query,
    headers: HeaderMap,
    body: Bytes,
    uri: String,
}

impl Incoming {
    pub fn new(inner: Arc<Inner>, peer: Peer, head: Parts, body: Bytes) -> Self {
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let target = Target::read(&head.method, head.uri.path(), &query);
        let uri = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        Self { inner, peer, method: head.method, target, query, headers: head.headers, body, uri }
    }

    pub async fn answer(self) -> Reply {
        let inner = self.inner.clone();
        let Some(recording) = &inner.settings.recording else {
            return self.try_answer(&mut Trail::default()).await.unwrap_or_else(Reply::from);
        };
        let (clock, id) = {
            let mut state = inner.lock();
            (state.clock, state.uid())
        };
        let agent = self.header(&USER_AGENT).to_owned();
        let mut trail = Trail::begin(clock, id, self.uri.clone(), &agent, &self.body);
        let target = self.target.clone();
        let reply = self.try_answer(&mut trail).await.unwrap_or_else(Reply::from);
        recording.write(&trail.line(clock, &target, &reply));
        reply
    }

    async fn try_answer(self, trail: &mut Trail) -> Result<Reply, Failure> {
        let user = self.user(trail)?;
        trouble::befall(&self.inner, &self.target, &user).await?;
        self.authorize(&user, trail)?;
        match self.target.resource.clone() {
            Some(place) => self.resource(user, place).await,
            None => self.document(),
        }
    }

    /// Who asks, in the end: authenticated, and perhaps acting as somebody else.
    fn user(&self, trail: &mut Trail) -> Result<UserInfo, Failure> {
        let state = self.inner.lock();
        let authenticated = self.authenticated(&state)?;
        let may = |attributes: &Attributes<'_>| state.decide(attributes);
        let acting = {
            let place = self.target.resource.clone().unwrap_or_default();
            let request = self.attributes(&authenticated, &place, &[]);
            impersonation::impersonated(&self.headers, &request, &may, state.settings.version)?
        };
        trail.asked_by(&authenticated, acting.as_ref());
        Ok(acting.unwrap_or(authenticated))
    }

    fn authenticated(&self, state: &State) -> Result<UserInfo, Failure> {
        if let Peer::Certified(user) = &self.peer {
            return Ok(UserInfo::clone(user));
        }
        let header = self.headers.get(AUTHORIZATION).map(|header| String::from_utf8_lossy(header.as_bytes()));
        if let Some(token) = header.as_deref().and_then(bearer) {
            return tokens::user_of(state, token).ok_or_else(Failure::unauthorized);
        }
        match &self.peer {
            Peer::Nobody => Ok(identity::anonymous()),
            Peer::User(user) | Peer::Certified(user) => Ok(UserInfo::clone(user)),
            Peer::Refused => Err(Failure::unauthorized()),
        }
    }

    fn authorize(&self, user: &UserInfo, trail: &mut Trail) -> Result<(), Failure> {
        let place = self.target.resource.clone().unwrap_or_default();
        let fields = self.selected_fields();
        let attributes = self.attributes(user, &place, &fields);
        let decision = self.inner.lock().decide(&attributes);
        trail.decided(&decision);
        if decision.allowed { Ok(()) } else { Err(rbac::denied(&attributes, &decision.reason)) }
    }

    fn attributes<'a>(
        &'a self,
        user: &'a UserInfo,
        place: &'a Place,
        fields: &'a [(String, String)],
    ) -> Attributes<'a> {
        if self.target.resource.is_none() {
            return Attributes::path(user, &self.target.verb, &self.target.path);
        }
        Attributes {
            subresource: &place.subresource,
            namespace: &place.namespace,
            name: &place.name,
            fields,
            ..Attributes::resource(user, &self.target.verb, &place.group, &place.resource)
        }
    }

    /// What the objects of a collection must have, as far as a field selector demands equality.
    fn selected_fields(&self) -> Vec<(String, String)> {
        let selector = self.query.get("fieldSelector").unwrap_or_default();
        if selector.contains('\\') {
            // What is escaped may hide a comma; it narrows nothing here.
            return Vec::new();
        }
        let terms = selector.split(',').filter(|term| !term.contains("!="));
        let pairs = terms.filter_map(|term| term.split_once('='));
        pairs.map(|(field, value)| (field.to_owned(), value.trim_start_matches('=').to_owned())).collect()
    }

    /// Paths that are no resources.
    fn document(&self) -> Result<Reply, Failure> {
        if !matches!(self.method, Method::GET | Method::HEAD) {
            return Err(Failure::method_not_allowed());
        }
        let mut state = self.inner.lock();
        let path = self.target.path.trim_end_matches('/');
        match path {
            "/healthz" | "/livez" | "/readyz" => return Ok(self.health(path)),
            "" => return Ok(Reply::json(200, discovery::paths(&state.served.all()))),
            "/version" => return Ok(Reply::json(200, discovery::version(state.settings.version))),
            "/.well-known/openid-configuration" => {
                return Ok(Reply::json(200, state.authenticator.signer().openid_configuration(self.host())));
            }
            "/openid/v1/jwks" => return Ok(Reply::json(200, state.authenticator.signer().public_keys())),
            "/openapi/v2" => return Ok(self.openapi_v2(&mut state)),
            "/openapi/v3" => return Ok(Reply::text(200, state.documents().index().to_string())),
            _ => {}
        }
        if let Some(path) = path.strip_prefix("/openapi/v3/") {
            return Ok(self.openapi(&mut state, path));
        }
        self.discovery(&state, path)
    }

    fn health(&self, path: &str) -> Reply {
        match (path.strip_prefix('/'), self.query.get("verbose")) {
            (Some(check), Some(_)) => Reply::text(200, format!("[+]ping ok\n{check} check passed\n")),
            _ => Reply::text(200, "ok"),
        }
    }

    fn openapi(&self, state: &mut State, path: &str) -> Reply {
        let request = DocumentRequest {
            path,
            hash: self.query.get("hash").unwrap_or_default(),
            accept: self.header(&ACCEPT),
            if_none_match: self.header(&IF_NONE_MATCH),
            now: state.clock.seconds(),
        };
        let answer = state.documents().answer(&request);
        let kind = if answer.body.is_empty() { "" } else { "application/json" };
        document(kind, answer)
    }

    fn openapi_v2(&self, state: &mut State) -> Reply {
        let (answer, kind) = state.documents().answer_v2(self.header(&ACCEPT), self.header(&IF_NONE_MATCH));
        document(kind, answer)
    }

    fn discovery(&self, state: &State, path: &str) -> Result<Reply, Failure> {
        let request = DiscoveryRequest {
            path,
            accept: self.header(&ACCEPT),
            if_none_match: self.header(&IF_NONE_MATCH),
            address: self.host(),
        };
        let Some(found) = discovery::answer(&request, &state.served.all()) else { return Ok(not_found_page()) };
        let reply = Reply::bytes(found.status, found.content_type, found.body);
        Ok(match &found.etag {
            Some(etag) => reply
                .with(http::header::ETAG, etag)
                .with(http::header::VARY, "Accept")
                .with(http::header::CACHE_CONTROL, "public"),
            None => reply,
        })
    }

    /// Host and port that the client reached the server by.
    fn host(&self) -> &str {
        self.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost")
    }

    fn header(&self, name: &http::header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    async fn resource(self, user: UserInfo, place: Place) -> Result<Reply, Failure> {
        let call = match self.call(user, place)? {
            Ok(call) => call,
            Err(reply) => return Ok(reply),
        };
        let inner = self.inner;
        match (call.verb.as_str(), call.place.subresource.as_str()) {
            ("watch", "") => {
                let (kind, body) = watching::start(&inner, call)?;
                Ok(Reply::of(200, Content::Stream(kind, body)))
            }
            ("create", _) if reviews::is_review(&call.resource) => reviews::answer(&inner.lock(), &call),
            (_, "proxy") => connect(&inner, &call).await,
            ("get" | "list", _) => read(&inner, &call),
            ("create", "token") => tokens::request(&mut inner.lock(), &call),
            ("deletecollection", "") => delete_many(&inner, &call).await,
            _ => write(&inner, &call).await,
        }
    }

    /// The call on a resource that is served, or the answer of a path that is not.
    fn call(&self, user: UserInfo, mut place: Place) -> Result<Result<Call, Reply>, Failure> {
        self.check_timeout()?;
        let state = self.inner.lock();
        let Some(resource) = state.served.find(&place.group, &place.version, &place.resource) else {
            let known = state.served.has_group(&place.group);
            return if known { Err(Failure::nothing_here()) } else { Ok(Err(not_found_page())) };
        };
        let verb = self.target.verb.clone();
        match fit(&resource, &place, &verb) {
            Fit::Served => {}
            Fit::NotThere if resource.is_custom() => return Ok(Err(not_found_page())),
            Fit::NotThere => return Err(Failure::nothing_here()),
            Fit::NoSuchPart => return Err(Failure::not_found(&resource.group_resource(), &place.name)),
            Fit::OtherMethod => return Err(Failure::method_not_allowed()),
        }
        if verb == "list" {
            // Here the name was the field selector's.
            place.name.clear();
        }
        let Self { query, headers, body, .. } = self;
        let (query, headers, body) = (query.clone(), headers.clone(), body.clone());
        Ok(Ok(Call { user, verb, place, resource, query, headers, body }))
    }

    fn check_timeout(&self) -> Result<(), Failure> {
        let timeout = self.query.get("timeout").unwrap_or_default();
        if timeout.is_empty() || is_duration(timeout) {
            return Ok(());
        }
        let why = format!("invalid timeout specified in the request URL - time: invalid duration \"{timeout}\"");
        Err(Failure::bad_request(why))
    }
}

/// Whether a text is a duration as Go reads it.
fn is_duration(text: &str) -> bool {
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$")
            .expect("the pattern is a literal")
    });
    FORM.is_match(text)
}

/// How a path and its verb fit a resource.
enum Fit {
    Served,
    /// The path leads nowhere.
    NotThere,
    /// The object does not have such a part.
    NoSuchPart,
    /// The path is served, by other methods.
    OtherMethod,
}

fn fit(resource: &Resource, place: &Place, verb: &str) -> Fit {
    let in_namespace = !place.namespace.is_empty() && resource.plural != "namespaces";
    let known_part = place.subresource.is_empty() || resource.subresource(&place.subresource).is_some();
    let of_collection = matches!(verb, "list" | "watch" | "deletecollection") || place.name.is_empty();
    if place.trailing || place.name.contains('/') || (!resource.namespaced && in_namespace) {
        return Fit::NotThere;
    }
    if !known_part {
        return if resource.is_custom() { Fit::NoSuchPart } else { Fit::NotThere };
    }
    if resource.namespaced && !in_namespace && !of_collection {
        return Fit::NotThere;
    }
    let verbs = resource.subresource(&place.subresource).map_or(&resource.verbs, |part| &part.verbs);
    let anywhere = !resource.namespaced || in_namespace || matches!(verb, "list" | "watch");
    let named = match verb {
        "update" | "patch" | "delete" | "get" => !place.name.is_empty(),
        "create" => place.name.is_empty() == place.subresource.is_empty(),
        _ => true,
    };
    if anywhere && named && verbs.iter().any(|known| known == verb) { Fit::Served } else { Fit::OtherMethod }
}

fn document(kind: &'static str, answer: DocumentAnswer) -> Reply {
    let reply = Reply::bytes(answer.status, kind, answer.body);
    answer.headers.into_iter().fold(reply, |reply, (name, value)| reply.with(name, &value))
}

fn not_found_page() -> Reply {
    Reply::text(404, "404 page not found\n")
}

fn read(inner: &Inner, call: &Call) -> Result<Reply, Failure> {
    match (call.verb.as_str(), call.place.subresource.as_str()) {
        ("list", _) => {
            // A long list is written while others go on.
            let listed = inner.lock().read_many(call)?;
            Ok(listed.into_reply(call, inner.settings.recording.is_some()))
        }
        (_, "scale") => Ok(Reply::json(200, inner.lock().read_scale(call)?)),
        _ => inner.lock().read_one(call),
    }
}

async fn write(inner: &Arc<Inner>, call: &Call) -> Result<Reply, Failure> {
    for _ in 0..ATTEMPTS {
        let judged = judge(&mut inner.lock(), call)?;
        if let Stored::Done(reply) = carry_out(inner, judged).await? {
            return Ok(reply);
        }
    }
    Err(Failure::modified(&call.group_resource(), &call.place.name))
}

/// Whoever may connect finds nobody at the other end: there are no kubelets.
async fn connect(inner: &Inner, call: &Call) -> Result<Reply, Failure> {
    let change = inner.lock().connect(call)?;
    let calls = hooks::due(&inner.lock(), &change);
    if !calls.is_empty() {
        hooks::ask(calls, &change).await?;
    }
    Err(inner.lock().unreachable(call))
}

fn judge(state: &mut State, call: &Call) -> Result<Change, Failure> {
    match (call.verb.as_str(), call.place.subresource.as_str()) {
        ("create", "binding") => state.bind(call),
        ("create", "eviction") => state.evict(call),
        ("create", "") => state.create(call),
        ("update" | "patch", "scale") => state.rescale(call),
        ("update", _) => state.replace(call),
        ("patch", _) => state.patch(call),
        ("delete", "") => state.delete(call),
        _ => Err(Failure::method_not_allowed()),
    }
}

/// Asks the webhooks, and stores the change if they agree and nobody was faster.
async fn carry_out(inner: &Arc<Inner>, mut change: Change) -> Result<Stored, Failure> {
    let calls = hooks::due(&inner.lock(), &change);
    if !calls.is_empty() {
        change.warnings.extend(hooks::ask(calls, &change).await?);
    }
    let stored = {
        let mut state = inner.lock();
        if State::removes_definition(&change)
            && let Some(definition) = change.before.clone()
        {
            state.remove_instances(&definition);
        }
        state.store_change(&change)
    };
    inner.announce();
    stored
}

async fn delete_many(inner: &Arc<Inner>, call: &Call) -> Result<Reply, Failure> {
    let Chosen { options, list, names } = inner.lock().chosen(call)?;
    for name in names {
        delete_one_of_many(inner, call, &options, &name).await?;
    }
    Ok(Reply::json(200, list))
}

async fn delete_one_of_many(
    inner: &Arc<Inner>,
    call: &Call,
    options: &DeleteOptions,
    name: &str,
) -> Result<(), Failure> {
    for _ in 0..ATTEMPTS {
        let change = {
            let mut state = inner.lock();
            let object = state.get(&call.group_resource(), call.namespace(), name);
            // Somebody else deleted it.
            let Some(object) = object else { return Ok(()) };
            state.delete_object(call, options, name, "", object)?
        };
        if let Stored::Done(_) = carry_out(inner, change).await? {
            return Ok(());
        }
    }
    Err(Failure::conflict(&call.group_resource(), name, "the object has been modified"))
}
