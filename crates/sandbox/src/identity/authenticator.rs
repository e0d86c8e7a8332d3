//! Who sends a bearer token: a static one (`--token-auth-file`) or that of a service account.

use admission::UserInfo;
use std::collections::BTreeMap;

use super::authenticated;
use super::signing::SignatureError;
use super::token::{Authenticated, Signer};
use crate::objects::Objects;

/// All tokens that the server knows.
#[derive(Debug)]
pub struct Authenticator {
    known: BTreeMap<String, UserInfo>,
    signer: Signer,
}

impl Authenticator {
    /// Knows the tokens that a signer issues.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self { known: BTreeMap::new(), signer }
    }

    /// Knows one more token; an empty one is not taken.
    #[must_use]
    pub fn with_token(mut self, token: &str, user: UserInfo) -> Self {
        if !token.is_empty() {
            self.known.insert(token.to_owned(), authenticated(user));
        }
        self
    }

    /// What issues the tokens of service accounts.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Who a token stands for. Without audiences, the server's own are meant.
    ///
    /// # Errors
    /// What `TokenReview` says of a token that is not accepted.
    pub fn examine(
        &self,
        token: &str,
        audiences: &[String],
        objects: &dyn Objects,
        now: i64,
    ) -> Result<Authenticated, String> {
        let unknown = SignatureError::Foreign.to_string();
        if let Some(user) = self.known.get(token) {
            return self.known_to_itself(user, audiences).ok_or(unknown);
        }
        let refused = |error: String| if error == unknown { error } else { format!("[{unknown}, {error}]") };
        self.signer.examine(token, audiences, objects, now).map_err(refused)
    }

    /// A static token is good for the server's own audiences only (`WrapAudienceAgnosticToken`).
    fn known_to_itself(&self, user: &UserInfo, audiences: &[String]) -> Option<Authenticated> {
        let own = self.signer.audiences();
        let wanted = if audiences.is_empty() { own } else { audiences };
        let audiences: Vec<String> = wanted.iter().filter(|audience| own.contains(audience)).cloned().collect();
        (!audiences.is_empty()).then(|| Authenticated { user: user.clone(), audiences })
    }
}

/// The token of an `Authorization` header (`authentication/request/bearertoken`): none if there is another scheme, or
/// nothing right after it.
#[must_use]
pub fn bearer(header: &str) -> Option<&str> {
    let mut parts = header.trim().splitn(3, ' ');
    let scheme = parts.next()?;
    let token = parts.next()?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn headers_are_read() {
        let cases = [
            ("Bearer a", Some("a")),
            ("bEARER a", Some("a")),
            (" Bearer a b", Some("a")),
            ("Bearer  a", None),
            ("Bearer", None),
            ("Basic a", None),
            ("", None),
            ("Bearer\ta", None),
        ];
        for (header, token) in cases {
            assert_eq!(bearer(header), token, "{header:?}");
        }
    }
}
