//! Lists as clients ask for them: pages, and states of the past.

mod options;
mod token;

use serde_json::{Value, json};
use std::sync::Arc;

use crate::failure::{Aside, Failure};
use crate::resource::GroupResource;
use crate::store::{Entry, Store, Unavailable};
use token::Token;

pub use options::ListOptions;

/// A part of a list, or all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The objects.
    pub items: Vec<Arc<Value>>,
    /// The revision that they are of: that of the first page.
    pub revision: u64,
    /// Where the list goes on.
    pub continue_: Option<String>,
    /// How many objects follow; not known if there are selectors.
    pub remaining: Option<u64>,
}

/// A list that is not given.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Why.
    pub failure: Box<Failure>,
    /// What the answer has as `metadata.continue`: the rest of the list as it is now.
    pub continue_: Option<String>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure: Box::new(failure), continue_: None }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        refused.failure.with(Aside { continue_: refused.continue_, ..Aside::default() })
    }
}

impl Refused {
    /// The `Status` object that is sent.
    #[must_use]
    pub fn to_status(&self) -> Value {
        let mut status = self.failure.to_status();
        if let Some(token) = &self.continue_ {
            status["metadata"]["continue"] = json!(token);
        }
        status
    }
}

/// Which state is listed, and from where on.
#[derive(Debug)]
struct View {
    revision: u64,
    start: String,
    continued: bool,
}

/// Lists objects of a resource, of a namespace or of all.
///
/// # Errors
/// 400 for what cannot be read, 410 for a state that is forgotten, 504 for one that has not come yet.
pub fn list(
    store: &Store,
    resource: &GroupResource,
    namespace: Option<&str>,
    options: &ListOptions,
    matches: &dyn Fn(&Value) -> bool,
) -> Result<Page, Refused> {
    let view = View::asked_for(store, options)?;
    let entries = store.entries_at(resource, namespace, &view.start, view.revision);
    let entries = entries.map_err(|why| refused(why, &view))?;
    let namespaced = namespace.is_none() && entries.iter().any(|entry| !entry.key.namespace().is_empty());
    let whole = options.limit <= 0 || options.resource_version == "0" || (options.selects_one() && !namespaced);
    let limit = if whole { usize::MAX } else { usize::try_from(options.limit).unwrap_or(usize::MAX) };
    Ok(page(&entries, limit, namespace, &view, options, matches))
}

/// Refuses a GET of one object at a revision that has not come yet, or that is none.
///
/// # Errors
/// 504 or 500.
pub fn not_ahead(store: &Store, options: &ListOptions) -> Result<(), Failure> {
    let revision = options.revision().map_err(Failure::internal)?;
    if revision > store.revision() { Err(too_large(revision, store.revision())) } else { Ok(()) }
}

/// 504: the revision has not come yet
/// (`NewTooLargeResourceVersionError` in `staging/src/k8s.io/apiserver/pkg/storage/errors.go`).
#[must_use]
pub fn too_large(asked: u64, current: u64) -> Failure {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let mut failure = Failure::new(504, "Timeout", message);
    let cause = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
    failure.details.get_or_insert_default().insert("causes".to_owned(), cause);
    failure.retry_after = Some(1);
    failure
}

impl View {
    /// `ValidateListOptions` in `staging/src/k8s.io/apiserver/pkg/storage/interfaces.go`, and `ShouldDelegateList` in
    /// `…/storage/cacher/delegator/interface.go`.
    fn asked_for(store: &Store, options: &ListOptions) -> Result<Self, Failure> {
        if !options.continue_.is_empty() {
            return Self::continued(store, options);
        }
        let bad = |why| Failure::bad_request(format!("invalid resource version: {why}"));
        let asked = options.revision().map_err(bad)?;
        let exact = match options.resource_version_match.as_str() {
            "" => options.limit > 0,
            how => how == "Exact",
        };
        if asked > store.revision() {
            return Err(too_large(asked, store.revision()));
        }
        let revision = if exact && asked > 0 { asked } else { store.revision() };
        Ok(Self { revision, start: String::new(), continued: false })
    }

    fn continued(store: &Store, options: &ListOptions) -> Result<Self, Failure> {
        let token = Token::decode(&options.continue_)?;
        if !matches!(options.resource_version.as_str(), "" | "0") {
            return Err(Failure::bad_request("specifying resource version is not allowed when using continue"));
        }
        let revision = u64::try_from(token.revision).unwrap_or_else(|_| store.revision());
        Ok(Self { revision, start: token.start, continued: true })
    }
}

fn page(
    entries: &[Entry<'_>],
    limit: usize,
    namespace: Option<&str>,
    view: &View,
    options: &ListOptions,
    matches: &dyn Fn(&Value) -> bool,
) -> Page {
    let mut page = Page { revision: view.revision, ..Page::default() };
    for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| matches(entry.object)) {
        page.items.push(entry.object.clone());
        if page.items.len() < limit {
            continue;
        }
        if index + 1 < entries.len() {
            page.continue_ = Some(after(entry, namespace, view.revision).encode());
            let remaining = u64::try_from(entries.len() - limit).ok();
            page.remaining = remaining.filter(|_| options.selects_all());
        }
        break;
    }
    page
}

/// The token for what follows an object: the next key that is possible at all.
fn after(entry: &Entry<'_>, namespace: Option<&str>, revision: u64) -> Token {
    let alone = namespace.is_some_and(|namespace| !namespace.is_empty());
    let path = if alone { entry.key.name() } else { entry.key.path() };
    Token { revision: i64::try_from(revision).unwrap_or(i64::MAX), start: format!("/{path}\0") }
}

/// `interpretListError` and `handleCompactedErrorForPaging` in
/// `staging/src/k8s.io/apiserver/pkg/storage/etcd3/errors.go`.
fn refused(why: Unavailable, view: &View) -> Refused {
    match why {
        Unavailable::Future { current } => too_large(view.revision, current).into(),
        Unavailable::Compacted(_) if view.continued => {
            let rest = Token { revision: -1, start: view.start.clone() };
            Refused { continue_: Some(rest.encode()), ..Failure::expired(CONTINUE_EXPIRED).into() }
        }
        Unavailable::Compacted(_) => Failure::expired("The resourceVersion for the provided list is too old.").into(),
    }
}

/// What the server says of a token whose revision is forgotten.
const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

#[cfg(test)]
mod tests;
