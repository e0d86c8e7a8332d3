//! The agent patches its Node itself; the guard in the API server decides.

use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};
use ownership::Profile;

pub use crate::patched::{FIELD_MANAGER, NodeNameError};

use crate::patched::Patched;
use crate::{Backoff, Done, Failure, Publish, Seen, Wanted};

/// The channel.
#[derive(Debug)]
pub struct Direct {
    node: Patched<Node>,
}

impl Direct {
    /// A channel to the Node of that name, for the agent of that profile.
    ///
    /// # Errors
    /// [`NodeNameError`]
    pub fn new(client: Client, node: &str, profile: Profile, backoff: Backoff) -> Result<Self, NodeNameError> {
        let nodes = Api::all(client.clone());
        Ok(Self { node: Patched::new(client, nodes, node, profile, backoff)? })
    }

    /// Takes over what these field managers wrote: owned keys of theirs that are not published are removed, as if this
    /// agent had written them.
    #[must_use]
    pub fn adopting<M: Into<String>>(mut self, managers: impl IntoIterator<Item = M>) -> Self {
        self.node.adopt(managers.into_iter().map(Into::into));
        self
    }
}

impl Publish for Direct {
    async fn read(&mut self) -> Result<Seen, Failure> {
        self.node.read().await.map_err(|trouble| self.node.fail(trouble))
    }

    async fn publish(&mut self, wanted: &Wanted) -> Result<Done, Failure> {
        match self.node.try_once(wanted).await {
            Ok(done) => {
                self.node.succeed();
                Ok(done)
            }
            Err(trouble) => Err(self.node.fail(trouble)),
        }
    }
}
