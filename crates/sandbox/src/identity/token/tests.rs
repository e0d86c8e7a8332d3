use super::*;
use crate::identity::stored::Stored;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64_URL, Engine as _};
use proptest::prelude::*;
use ring::hmac;

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const NOW: i64 = 1_795_369_560;
const HOUR: i64 = 3600;

fn cluster() -> Stored {
    Stored::default()
        .with_core("serviceaccounts", "ns1", "a", json!({}))
        .with_core("serviceaccounts", "ns1", "b", json!({}))
        .with_core("nodes", "", "n1", json!({}))
        .with_core("secrets", "ns1", "s1", json!({}))
        .with_core("pods", "ns1", "p1", json!({"spec": {"serviceAccountName": "a", "nodeName": "n1"}}))
        .with_core("pods", "ns1", "lost", json!({"spec": {"serviceAccountName": "a", "nodeName": "gone"}}))
        .with_core("pods", "ns1", "waiting", json!({"spec": {"serviceAccountName": "a"}}))
}

fn signer(minor: u16) -> Signer {
    Signer::new(SigningKey::generate().unwrap(), ISSUER, KubeVersion::minor(minor))
}

fn issue(signer: &Signer, account: &str, body: &Value, objects: &Stored) -> Result<Issued, Failure> {
    let request = TokenRequest::prepare(signer, ("ns1", account), body, objects, NOW)?;
    signer.mint(request, objects, NOW, &mut || 0x1234)
}

fn bound(kind: &str, name: &str) -> Value {
    json!({"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": name}}})
}

fn token(signer: &Signer, body: &Value) -> String {
    text(&issue(signer, "a", body, &cluster()).unwrap().object, "/status/token").to_owned()
}

fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL.decode(part).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    BASE64_URL.encode(value.to_string())
}

#[test]
fn requests_are_refused_in_the_servers_words() {
    let pod = |more: Value| {
        let mut body = bound("Pod", "p1");
        for (key, value) in more.as_object().unwrap() {
            body["spec"]["boundObjectRef"][key] = value.clone();
        }
        body
    };
    let seconds = |seconds: i64| json!({"spec": {"expirationSeconds": seconds}});
    let cases = [
        (
            "a",
            seconds(599),
            422,
            r#"TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes"#,
        ),
        (
            "a",
            seconds(-1),
            422,
            r#"TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: -1: may not specify a duration less than 10 minutes"#,
        ),
        (
            "a",
            seconds(4_294_967_297),
            422,
            r#"TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds"#,
        ),
        ("a", bound("Pod", "nope"), 404, r#"pods "nope" not found"#),
        (
            "a",
            pod(json!({"uid": "x"})),
            409,
            r#"Operation cannot be fulfilled on Pod "p1": the UID in the bound object reference (x) does not match the UID in record. The object might have been deleted and then recreated"#,
        ),
        (
            "b",
            bound("Pod", "p1"),
            400,
            r#"cannot bind token for serviceaccount "b" to pod running with different serviceaccount name."#,
        ),
        ("a", bound("ConfigMap", "p1"), 400, "cannot bind token to object of type /v1, Kind=ConfigMap"),
        ("a", pod(json!({"apiVersion": "apps/v1"})), 400, "cannot bind token to object of type apps/v1, Kind=Pod"),
        (
            "a",
            json!({"spec": {"boundObjectRef": {"name": "nope"}}}),
            400,
            "cannot bind token to object of type /, Kind=",
        ),
        ("a", bound("Node", "nope"), 404, r#"nodes "nope" not found"#),
        ("a", bound("Secret", "nope"), 404, r#"secrets "nope" not found"#),
        ("nope", json!({}), 404, r#"serviceaccounts "nope" not found"#),
        (
            "a",
            json!({"metadata": {"name": "z"}}),
            422,
            r#"TokenRequest.authentication.k8s.io "a" is invalid: metadata.name: Invalid value: "z": must match the service account name if specified"#,
        ),
        (
            "a",
            json!({"metadata": {"namespace": "z"}}),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            "a",
            json!({"metadata": {"uid": "z"}}),
            409,
            r#"Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "a": the UID in the token request (z) does not match the UID of the service account (a-uid)"#,
        ),
    ];
    let signer = signer(36);
    for (account, body, code, message) in cases {
        let failure = issue(&signer, account, &body, &cluster()).unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (code, message), "{body}");
    }
}

#[test]
fn the_answer_is_the_servers() {
    let body = json!({"metadata": {"annotations": {"a": "b"}}, "status": {"token": "x"}});
    let issued = issue(&signer(36), "a", &body, &cluster()).unwrap();
    let mut object = issued.object;
    let token = object["status"]["token"].take();
    assert_eq!(
        payload(token.as_str().unwrap()),
        json!({
            "iss": ISSUER, "sub": "system:serviceaccount:ns1:a", "aud": [ISSUER],
            "exp": NOW + HOUR, "iat": NOW, "nbf": NOW, "jti": "00000000-0000-4000-8000-000000001234",
            "kubernetes.io": {"namespace": "ns1", "serviceaccount": {"name": "a", "uid": "a-uid"}},
        })
    );
    assert_eq!(
        object,
        json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": "a", "namespace": "ns1", "uid": "a-uid", "creationTimestamp": "2026-11-22T17:46:00Z",
                "annotations": {"a": "b"}},
            "spec": {"audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": null},
            "status": {"token": null, "expirationTimestamp": "2026-11-22T18:46:00Z"},
        })
    );
    assert_eq!(issued.credential_id.as_deref(), Some("JTI=00000000-0000-4000-8000-000000001234"));
}

/// Section 5.2: what a release puts in, and what it shows.
#[test]
fn claims_go_by_release() {
    let n1 = json!({"name": "n1", "uid": "n1-uid"});
    let cases = [
        (36, bound("Pod", "p1"), n1.clone(), "credential-id node-name node-uid pod-name pod-uid"),
        (30, bound("Pod", "p1"), n1.clone(), "credential-id node-name node-uid pod-name pod-uid"),
        (29, bound("Pod", "p1"), Value::Null, "pod-name pod-uid"),
        (36, bound("Pod", "lost"), json!({"name": "gone"}), "credential-id node-name pod-name pod-uid"),
        (36, bound("Pod", "waiting"), Value::Null, "credential-id pod-name pod-uid"),
        (31, bound("Node", "n1"), n1, "credential-id node-name node-uid"),
        (36, bound("Secret", "s1"), Value::Null, "credential-id"),
        (29, bound("Secret", "s1"), Value::Null, ""),
        (36, json!({}), Value::Null, "credential-id"),
        (28, json!({}), Value::Null, ""),
    ];
    for (minor, body, node, keys) in cases {
        let signer = signer(minor);
        let token = token(&signer, &body);
        assert_eq!(payload(&token)["kubernetes.io"]["node"], node, "{minor} {body}");
        let user = signer.authenticate(&token, &[], &cluster(), NOW).unwrap();
        let prefix = "authentication.kubernetes.io/";
        let seen: Vec<&str> = user.extra.keys().map(|key| key.strip_prefix(prefix).unwrap()).collect();
        assert_eq!(seen.join(" "), keys, "{minor} {body}");
        let groups = ["system:serviceaccounts", "system:serviceaccounts:ns1", "system:authenticated"];
        assert_eq!((user.username.as_str(), user.uid.as_str()), ("system:serviceaccount:ns1:a", "a-uid"));
        assert_eq!(user.groups, groups);
    }
}

#[test]
fn nodes_are_bound_to_since_1_31() {
    let cases = [
        (30, "cannot bind token to a Node object as the \"ServiceAccountTokenNodeBinding\" feature-gate is disabled"),
        (28, "cannot bind token to object of type /v1, Kind=Node"),
    ];
    for (minor, message) in cases {
        assert_eq!(issue(&signer(minor), "a", &bound("Node", "n1"), &cluster()).unwrap_err().message, message);
    }
}

#[test]
fn kubelets_tokens_last_a_year_and_others_are_capped() {
    let mut body = bound("Pod", "p1");
    body["spec"]["expirationSeconds"] = json!(3607);
    let signer = signer(36).with_max_seconds(7200);
    let claims = payload(&token(&signer, &body));
    assert_eq!(claims["exp"], NOW + EXTENDED_SECONDS);
    assert_eq!(claims["kubernetes.io"]["warnafter"], NOW + 3607);
    body["spec"]["audiences"] = json!(["other"]);
    assert_eq!(payload(&token(&signer, &body))["exp"], NOW + 3607);
    let issued = issue(&signer, "a", &json!({"spec": {"expirationSeconds": 7201}}), &cluster()).unwrap();
    assert_eq!(issued.warnings, ["requested expiration of 7201 seconds shortened to 7200 seconds"]);
    assert_eq!(issued.object["status"]["expirationTimestamp"], "2026-11-22T19:46:00Z");
}

#[test]
fn audiences_must_meet() {
    let signer = signer(36);
    let token = token(&signer, &json!({"spec": {"audiences": ["foo", "baz"]}}));
    let audiences = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let examine = |names: &[&str]| signer.examine(&token, &audiences(names), &cluster(), NOW);
    assert_eq!(examine(&["bar", "baz", "foo"]).unwrap().audiences, ["baz", "foo"]);
    assert_eq!(
        examine(&[]).unwrap_err(),
        format!(r#"token audiences ["foo" "baz"] is invalid for the target audiences ["{ISSUER}"]"#)
    );
    assert!(examine(&["Foo"]).is_err());
}

/// Whatever a token is bound to must be there still, and be the same.
#[test]
fn bound_objects_revoke() {
    let deleted = |at: &str| json!({"metadata": {"deletionTimestamp": at}, "spec": {"serviceAccountName": "a"}});
    let pod = |more: Value| cluster().with_core("pods", "ns1", "p1", more);
    let uid = json!({"metadata": {"uid": "new"}});
    let gone = "service account token has been invalidated";
    let cases = [
        (bound("Pod", "p1"), cluster(), None),
        (bound("Pod", "p1"), cluster().without("pods", "ns1", "p1"), Some(gone)),
        (
            bound("Pod", "p1"),
            pod(uid.clone()),
            Some("pod UID (new) does not match service account pod ref claim (p1-uid)"),
        ),
        (
            bound("Pod", "p1"),
            pod(json!({"metadata": {"uid": ""}})),
            Some("pod UID () does not match service account pod ref claim (p1-uid)"),
        ),
        (bound("Pod", "p1"), pod(deleted("2026-11-22T17:45:00Z")), None),
        (bound("Pod", "p1"), pod(deleted("2026-11-22T17:44:59Z")), Some(gone)),
        (bound("Pod", "p1"), pod(deleted("2026-11-22T18:44:59+01:00")), Some(gone)),
        (bound("Pod", "p1"), pod(deleted("garbage")), Some(gone)),
        (bound("Pod", "p1"), cluster().without("nodes", "", "n1"), None),
        (bound("Node", "n1"), cluster().without("nodes", "", "n1"), Some(gone)),
        (
            bound("Node", "n1"),
            cluster().with_core("nodes", "", "n1", uid.clone()),
            Some("node UID (new) does not match service account node ref claim (n1-uid)"),
        ),
        (bound("Secret", "s1"), cluster().without("secrets", "ns1", "s1"), Some(gone)),
        (
            bound("Secret", "s1"),
            cluster().with_core("secrets", "ns1", "s1", uid.clone()),
            Some("secret UID (new) does not match service account secret ref claim (s1-uid)"),
        ),
        (json!({}), cluster().without("serviceaccounts", "ns1", "a"), Some(r#"serviceaccounts "a" not found"#)),
        (
            json!({}),
            cluster().with_core("serviceaccounts", "ns1", "a", uid),
            Some("service account UID (new) does not match claim (a-uid)"),
        ),
        (
            json!({}),
            cluster().with_core("serviceaccounts", "ns1", "a", deleted("2026-11-22T17:44:59Z")),
            Some("service account ns1/a has been deleted"),
        ),
    ];
    let signer = signer(36);
    for (body, objects, problem) in cases {
        let token = token(&signer, &body);
        let found = signer.examine(&token, &[], &objects, NOW);
        assert_eq!(found.as_ref().err().map(String::as_str), problem, "{body} {objects:?}");
    }
}

#[test]
fn time_runs_out_with_a_minute_of_leeway() {
    let signer = signer(36);
    let token = token(&signer, &json!({}));
    let cases = [
        (NOW, None),
        (NOW - 60, None),
        (NOW - 61, Some("service account token is not valid yet")),
        (NOW + HOUR + 60, None),
        (NOW + HOUR + 61, Some("service account token has expired")),
        (i64::MAX, Some("service account token has expired")),
        (i64::MIN, Some("service account token is not valid yet")),
    ];
    for (now, problem) in cases {
        assert_eq!(signer.examine(&token, &[], &cluster(), now).err().as_deref(), problem, "{now}");
    }
}

#[test]
fn node_bound_tokens_need_1_30() {
    let new = signer(31);
    let pem = new.key().to_pem();
    let token = token(&new, &bound("Node", "n1"));
    let at = |minor| Signer::new(SigningKey::from_pem(&pem).unwrap(), ISSUER, KubeVersion::minor(minor));
    assert!(at(30).authenticate(&token, &[], &cluster(), NOW).is_some());
    assert_eq!(at(29).authenticate(&token, &[], &cluster(), NOW), None);
}

/// Everything that an attacker may make of a good token, or out of nothing.
#[test]
fn forgeries_are_refused() {
    let signer = signer(36);
    let good = token(&signer, &bound("Pod", "p1"));
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let id = signer.key().id().to_owned();
    let mut raised = payload(&good);
    raised["kubernetes.io"]["serviceaccount"] = json!({"name": "b", "uid": "b-uid"});
    let hs256 = encoded(&json!({"alg": "HS256", "kid": id}));
    let public = signer.public_keys().to_string();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes()), format!("{hs256}.{claims}").as_bytes());
    let other = SigningKey::generate().unwrap();
    let foreign_issuer = signer.key().sign(&json!({"iss": "https://other", "exp": NOW + HOUR})).unwrap();
    let head = |value: Value| format!("{}.{claims}.{signature}", encoded(&value));
    let cases = [
        head(json!({"alg": "none"})),
        head(json!({"alg": "ES384", "kid": id})),
        head(json!({"alg": ["ES256"], "kid": id})),
        head(json!({"alg": "ES256", "kid": "other"})),
        head(json!({"alg": "ES256", "kid": 1})),
        head(json!({"alg": "ES256", "kid": id, "crit": ["exp"]})),
        head(json!({"alg": "ES256"})),
        format!("{}.{claims}.", encoded(&json!({"alg": "none", "kid": id}))),
        format!("{hs256}.{claims}.{}", BASE64_URL.encode(mac)),
        format!("{header}.{}.{signature}", encoded(&raised)),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}."),
        format!("{header}.{claims}.{signature}="),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{header}.{claims}.{}", BASE64_URL.encode([0; 64])),
        format!("{header}.{claims}.{}", BASE64_URL.encode([0; 70])),
        other.sign(&payload(&good)).unwrap(),
        foreign_issuer,
        String::new(),
        "..".to_owned(),
        "a.b.c".to_owned(),
    ];
    for forged in cases {
        assert_eq!(signer.authenticate(&forged, &[], &cluster(), NOW), None, "{forged}");
    }
    assert!(signer.authenticate(&good, &[], &cluster(), NOW).is_some());
}

/// Well-signed claims of another shape than ours are no token either.
#[test]
fn odd_claims_are_refused() {
    let signer = signer(36);
    let good = payload(&token(&signer, &json!({})));
    let cases = [
        ("exp", Value::Null),
        ("exp", json!("9999999999")),
        ("exp", json!(1e300)),
        ("aud", json!([])),
        ("aud", json!("other")),
        ("aud", json!({})),
        ("kubernetes.io", Value::Null),
        ("kubernetes.io", json!({"namespace": "ns1", "serviceaccount": {"name": "a"}})),
        ("kubernetes.io", json!({"namespace": "", "serviceaccount": {}})),
        ("kubernetes.io", json!({"namespace": "ns1", "serviceaccount": {"name": "a", "uid": "a-uid"}, "pod": {}})),
        ("iss", Value::Null),
    ];
    for (claim, value) in cases {
        let mut claims = good.clone();
        claims[claim] = value;
        let token = signer.key().sign(&claims).unwrap();
        assert_eq!(signer.authenticate(&token, &[], &cluster(), NOW), None, "{claims}");
    }
}

#[test]
fn keys_survive_as_text() {
    let signer = signer(36);
    let pem = signer.key().to_pem();
    let again = SigningKey::from_pem(&pem).unwrap();
    assert_eq!((again.id(), again.public_keys()), (signer.key().id(), signer.public_keys()));
    assert_eq!(again.to_pem(), pem);
    for (pem, error) in [
        ("", KeyError::Pem),
        ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", KeyError::Pem),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", KeyError::Key),
    ] {
        assert_eq!(SigningKey::from_pem(pem).unwrap_err(), error);
    }
}

#[test]
fn discovery_documents_are_the_servers() {
    let signer = signer(36);
    assert_eq!(
        signer.openid_configuration("127.0.0.1:26731"),
        json!({
            "issuer": ISSUER, "jwks_uri": "https://127.0.0.1:26731/openid/v1/jwks",
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    );
    let key = &signer.public_keys()["keys"][0];
    let length = |name: &str| BASE64_URL.decode(key[name].as_str().unwrap()).unwrap().len();
    assert_eq!((length("x"), length("y"), length("kid")), (32, 32, 32));
}

proptest! {
    #[test]
    fn garbage_is_nobody(token in "[A-Za-z0-9_.{}\"-]{0,200}") {
        let signer = signer(36);
        prop_assert_eq!(signer.authenticate(&token, &[], &cluster(), NOW), None);
    }

    #[test]
    fn a_changed_character_spoils_a_token(at in 0_usize..400, to in "[A-Za-z0-9_.-]") {
        let signer = signer(36);
        let good = token(&signer, &json!({}));
        let at = at % good.len();
        let changed = format!("{}{to}{}", &good[..at], &good[at + 1..]);
        let user = signer.authenticate(&changed, &[], &cluster(), NOW);
        prop_assert_eq!(user.is_some(), changed == good, "{}", changed);
    }
}
