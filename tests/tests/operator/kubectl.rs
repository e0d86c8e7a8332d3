//! What users of kubectl see.

use tests::server::Place;

pub async fn session(_place: Place) {}
pub async fn definition(_place: Place) {}
