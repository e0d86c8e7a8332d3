//! The user that a client certificate stands for (`k8s.io/apiserver/pkg/authentication/request/x509`). Whether the
//! certificate is to be trusted is found out before.

use admission::{KubeVersion, UserInfo};
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use x509_parser::oid_registry::{OID_X509_COMMON_NAME, OID_X509_ORGANIZATION_NAME, Oid};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::{CREDENTIAL_ID, authenticated};

/// The attribute of a subject that holds the user's uid (`k8s.io/apiserver/pkg/authentication/request/x509`).
const UID: [u64; 8] = [1, 3, 6, 1, 4, 1, 57683, 2];
/// From when on users have the fingerprint of their certificate.
const FINGERPRINT_SINCE: KubeVersion = KubeVersion::minor(32);
/// From when on the uid is read (`AllowParsingUserUIDFromCertAuth`).
const UID_SINCE: KubeVersion = KubeVersion::minor(33);

/// The user of a certificate: the last common name, and every organization as a group. `None` (401) if there is no
/// name, or anything in the subject cannot be read.
#[must_use]
pub fn user(der: &[u8], version: KubeVersion) -> Option<UserInfo> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let username = attributes(subject, &OID_X509_COMMON_NAME)?.pop()?;
    if username.is_empty() || !rest.is_empty() {
        return None;
    }
    let groups = attributes(subject, &OID_X509_ORGANIZATION_NAME)?;
    let uid = if version >= UID_SINCE { uid(subject)? } else { String::new() };
    let extra = if version >= FINGERPRINT_SINCE { fingerprint(der) } else { BTreeMap::new() };
    Some(authenticated(UserInfo { username, uid, groups, extra }))
}

fn attributes(subject: &X509Name<'_>, kind: &Oid<'_>) -> Option<Vec<String>> {
    subject.iter_by_oid(kind).map(|attribute| attribute.as_str().ok().map(str::to_owned)).collect()
}

/// The uid; empty if there is none, `None` if there are several or it is blank.
fn uid(subject: &X509Name<'_>) -> Option<String> {
    let kind = Oid::from(&UID).ok()?;
    let mut uids = attributes(subject, &kind)?;
    match (uids.pop(), uids.is_empty()) {
        (None, _) => Some(String::new()),
        (Some(uid), true) if !uid.is_empty() => Some(uid),
        _ => None,
    }
}

fn fingerprint(der: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut id = "X509SHA256=".to_owned();
    for byte in digest(&SHA256, der).as_ref() {
        let written = write!(id, "{byte:02x}");
        debug_assert!(written.is_ok(), "writing to a String does not fail");
    }
    BTreeMap::from([(CREDENTIAL_ID.to_owned(), vec![id])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn certificate(attributes: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in attributes {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn newest(der: &[u8]) -> Option<UserInfo> {
        user(der, KubeVersion::NEWEST)
    }

    #[test]
    fn subjects_are_users() {
        let der = certificate(&[(DnType::CommonName, "admin"), (DnType::OrganizationName, "system:masters")]);
        let found = newest(&der).unwrap();
        assert_eq!((found.username.as_str(), found.uid.as_str()), ("admin", ""));
        assert_eq!(found.groups, ["system:masters", "system:authenticated"]);
        let id = &found.extra[CREDENTIAL_ID][0];
        let hex = id.strip_prefix("X509SHA256=").unwrap();
        assert!(hex.len() == 64 && hex.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)), "{id}");
        assert!(user(&der, KubeVersion::minor(31)).unwrap().extra.is_empty());
    }

    #[test]
    fn the_uid_is_read() {
        let uid = DnType::CustomDnType(UID.to_vec());
        let der = certificate(&[(DnType::CommonName, "a"), (uid.clone(), "u1")]);
        assert_eq!(newest(&der).unwrap().uid, "u1");
        assert_eq!(user(&der, KubeVersion::minor(32)).unwrap().uid, "");
        assert_eq!(newest(&certificate(&[(DnType::CommonName, "a"), (uid, "")])), None);
    }

    #[test]
    fn what_has_no_name_is_nobody() {
        let der = certificate(&[(DnType::CommonName, "a")]);
        assert_eq!(newest(&certificate(&[(DnType::OrganizationName, "system:masters")])), None);
        assert_eq!(newest(&certificate(&[(DnType::CommonName, "")])), None);
        assert_eq!(newest(&[der.as_slice(), &[0]].concat()), None);
        assert_eq!(newest(der.get(..der.len() - 1).unwrap()), None);
        assert_eq!(newest(b""), None);
    }
}
