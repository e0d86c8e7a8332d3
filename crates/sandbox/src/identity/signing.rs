//! Compact JSON Web Tokens signed with ES256 (RFC 7515, RFC 7518).

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64_URL, Engine as _};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use serde_json::{Value, json};
use thiserror::Error;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";
const PEM_WIDTH: usize = 64;
/// What precedes the point of a P-256 public key in its `SubjectPublicKeyInfo` (RFC 5480).
const PUBLIC_KEY_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The length of each coordinate of a point of P-256.
const COORDINATE: usize = 32;

/// A key that cannot be made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The text is no PEM with a private key in it.
    #[error("no PKCS#8 private key in PEM")]
    Pem,
    /// It holds no key of the curve P-256.
    #[error("no private key of the curve P-256")]
    Key,
    /// The machine gives no randomness.
    #[error("no randomness")]
    Randomness,
}

/// Why a token is not accepted; displays as the server's text (`go-jose`, `k8s.io/kubernetes/pkg/serviceaccount`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// No token of this issuer at all.
    #[error("invalid bearer token")]
    Foreign,
    /// Signed with another key.
    #[error("invalid signature, no keys found")]
    UnknownKey,
    /// Signed in another way, or not rightly.
    #[error("go-jose/go-jose: error in cryptographic primitive")]
    Wrong,
}

/// A key that signs tokens.
#[derive(Debug)]
pub struct SigningKey {
    pair: EcdsaKeyPair,
    document: Vec<u8>,
    id: String,
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// If the machine gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Self::from_document(document.map_err(|_| KeyError::Randomness)?.as_ref().to_vec())
    }

    /// The key of a PEM text: PKCS#8 with the public key in it.
    ///
    /// # Errors
    /// If there is no such key in it.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let (_, rest) = pem.split_once(PEM_BEGIN).ok_or(KeyError::Pem)?;
        let (body, _) = rest.split_once(PEM_END).ok_or(KeyError::Pem)?;
        let body: String = body.split_ascii_whitespace().collect();
        Self::from_document(BASE64_STANDARD.decode(body).map_err(|_| KeyError::Pem)?)
    }

    /// The key as a PEM text.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let body = BASE64_STANDARD.encode(&self.document);
        let lines: Vec<&str> =
            body.as_bytes().chunks(PEM_WIDTH).map(|line| str::from_utf8(line).unwrap_or_default()).collect();
        format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", lines.join("\n"))
    }

    fn from_document(document: Vec<u8>) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document, &SystemRandom::new());
        let pair = pair.map_err(|_| KeyError::Key)?;
        let info = [PUBLIC_KEY_INFO.as_slice(), pair.public_key().as_ref()].concat();
        let id = BASE64_URL.encode(digest(&SHA256, &info));
        Ok(Self { pair, document, id })
    }

    /// Identifies the key: the hash of its public half (`k8s.io/kubernetes/pkg/serviceaccount/jwt.go`).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A token with these claims.
    ///
    /// # Errors
    /// If the machine gives no randomness.
    pub fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        let header = json!({"alg": "ES256", "kid": self.id});
        let input = format!("{}.{}", BASE64_URL.encode(header.to_string()), BASE64_URL.encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).map_err(|_| KeyError::Randomness)?;
        Ok(format!("{input}.{}", BASE64_URL.encode(signature)))
    }

    /// The claims of a token of this issuer that this key has signed. Nothing is said of what they claim.
    ///
    /// # Errors
    /// If it is not one.
    pub fn verify(&self, token: &str, issuer: &str) -> Result<Value, SignatureError> {
        let parts: Vec<&str> = token.split('.').collect();
        let &[header, payload, signature] = parts.as_slice() else { return Err(SignatureError::Foreign) };
        let claims = decoded(payload)?;
        if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err(SignatureError::Foreign);
        }
        self.check_header(&decoded(header)?)?;
        let signature = BASE64_URL.decode(signature).map_err(|_| SignatureError::Foreign)?;
        let input = token.get(..header.len() + 1 + payload.len()).ok_or(SignatureError::Foreign)?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key());
        key.verify(input.as_bytes(), &signature).map_err(|_| SignatureError::Wrong)?;
        Ok(claims)
    }

    /// A token without key identifier may be signed with any key; critical extensions are not known.
    fn check_header(&self, header: &Value) -> Result<(), SignatureError> {
        let id = header.get("kid").map_or(Some(""), Value::as_str).ok_or(SignatureError::Foreign)?;
        if !id.is_empty() && id != self.id {
            return Err(SignatureError::UnknownKey);
        }
        let known = header.get("alg").and_then(Value::as_str) == Some("ES256") && header.get("crit").is_none();
        known.then_some(()).ok_or(SignatureError::Wrong)
    }

    /// The public half as a JSON Web Key Set (RFC 7517), in the words of `/openid/v1/jwks`.
    #[must_use]
    pub fn public_keys(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let coordinate = |index: usize| {
            BASE64_URL.encode(point.iter().skip(1 + index * COORDINATE).take(COORDINATE).copied().collect::<Vec<u8>>())
        };
        json!({"keys": [{"use": "sig", "kty": "EC", "kid": self.id, "crv": "P-256", "alg": "ES256",
            "x": coordinate(0), "y": coordinate(1)}]})
    }
}

fn decoded(part: &str) -> Result<Value, SignatureError> {
    let bytes = BASE64_URL.decode(part).map_err(|_| SignatureError::Foreign)?;
    serde_json::from_slice(&bytes).map_err(|_| SignatureError::Foreign)
}
