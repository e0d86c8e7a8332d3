//! What goes wrong on purpose.

use admission::UserInfo;
use std::sync::Arc;
use std::time::Duration;

use super::sandbox::Inner;
use super::target::Target;
use crate::adversity::{Effect, Facts};
use crate::failure::Failure;
use crate::resource::GroupResource;

/// Lets happen to a request what the rules say; an answer that they give is the request's.
pub(super) async fn befall(inner: &Arc<Inner>, target: &Target, user: &UserInfo) -> Result<(), Failure> {
    let place = target.resource.clone().unwrap_or_default();
    let resource = GroupResource::new(&place.group, &place.resource);
    let named = match place.subresource.as_str() {
        "" => resource.to_string(),
        subresource => GroupResource::new(&place.group, &format!("{}/{subresource}", place.resource)).to_string(),
    };
    let facts = Facts {
        verb: &target.verb,
        resource: &named,
        namespace: &place.namespace,
        name: &place.name,
        user: &user.username,
        path: &target.path,
    };
    let effects = inner.lock().adversity.next(&facts);
    for effect in effects {
        match effect {
            Effect::Delay(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
            Effect::DropWatch => inner.drop_watches(),
            Effect::Compact => inner.lock().forget_history(),
            Effect::Restart { keep_store } => inner.restart(keep_store),
            answer => answer.failure(&resource, &place.name).map_or(Ok(()), Err)?,
        }
    }
    Ok(())
}
