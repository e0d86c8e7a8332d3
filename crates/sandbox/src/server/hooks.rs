//! Validating webhooks that a change is put to.

use super::change::Change;
use super::state::State;
use crate::failure::Failure;
use crate::objects::Objects;
use crate::webhook::{self, Due};

/// The webhooks that want to judge a change.
pub(super) fn due(state: &State, change: &Change) -> Vec<Due> {
    let configurations = Objects::list(&state.store, super::policies::GROUP, "validatingwebhookconfigurations", None);
    if configurations.is_empty() {
        return Vec::new();
    }
    let labels = state.namespace_labels(&change.request.namespace);
    webhook::due(&configurations, &change.request, &labels, &state.settings.services)
}

/// Asks them; what they warn of is returned.
pub(super) async fn ask(due: Vec<Due>, change: &Change) -> Result<Vec<String>, Failure> {
    webhook::ask(due, &change.request).await
}
