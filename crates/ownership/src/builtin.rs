//! The profiles that come with the tool.

use crate::parse::{self, ParseError};
use crate::profile::Profile;

/// The built-in profiles: name and text.
pub const PROFILES: [(&str, &str); 2] = [
    ("kubevirt", include_str!("../profiles/kubevirt.yaml")),
    ("kubevirt-least", include_str!("../profiles/kubevirt-least.yaml")),
];

/// The built-in profile of that name, if there is one.
///
/// # Errors
/// None in practice: a test parses every built-in profile.
#[must_use]
pub fn profile(name: &str) -> Option<Result<Profile, ParseError>> {
    PROFILES.iter().find(|(known, _)| *known == name).map(|(_, text)| parse::profile(text))
}
