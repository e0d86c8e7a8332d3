//! Profiles by name or file.

use anyhow::{Context, bail};
use ownership::spec::ServiceAccount;
use ownership::{Profile, builtin, parse};
use std::path::Path;

/// No profile is longer.
const MAX_BYTES: u64 = 4 << 20;

/// The profile of a name, or in a file; a relative path begins at `base`.
pub(crate) fn load(name: &str, base: Option<&Path>) -> anyhow::Result<Profile> {
    if let Some(profile) = builtin::profile(name) {
        return profile.with_context(|| format!("built-in profile {name}"));
    }
    let path = base.map_or_else(|| Path::new(name).to_owned(), |base| base.join(name));
    if !path.exists() {
        let known: Vec<&str> = builtin::PROFILES.iter().map(|(name, _)| *name).collect();
        bail!("`{name}` is neither a built-in profile ({}) nor a file", known.join(", "));
    }
    let text = crate::recording::text(&path, MAX_BYTES)?;
    let source = path.display();
    parse::profile(&text).map_err(|error| anyhow::anyhow!(lines(&source.to_string(), &error.to_string())))
}

/// The same, for another service account if one is given.
pub(crate) fn load_for(name: &str, account: Option<ServiceAccount>) -> anyhow::Result<Profile> {
    let profile = load(name, None)?;
    Ok(match account {
        Some(account) => profile.for_account(account),
        None => profile,
    })
}

/// Puts the source before each line.
fn lines(source: &str, text: &str) -> String {
    text.lines().map(|line| format!("{source}: {line}")).collect::<Vec<_>>().join("\nnodebound: ")
}

/// Reads `namespace/name` of a command line.
pub(crate) fn service_account(text: &str) -> Result<ServiceAccount, String> {
    api::cases::service_account(text)
}
