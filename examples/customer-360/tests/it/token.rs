use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use customer_360::token::{Rejected, Verifier};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{public_key, public_key_pem, signed, token};

fn verifier() -> Verifier {
    Verifier::new(&public_key(), "crm").unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

#[test]
fn accepts_the_key_in_pem_and_in_base64() {
    for key in [
        public_key(),
        public_key_pem(),
        public_key_pem().replace('\n', "\r\n"),
    ] {
        let claims = Verifier::new(&key, "crm")
            .unwrap()
            .verify(&token(&["customers:read"]), now())
            .unwrap();
        assert!(claims.rights.contains("customers:read"));
        assert_eq!(claims.sub, "test");
    }
    let of_small_order = STANDARD.encode([0; 32]);
    for key in [
        &of_small_order,
        "",
        "AAAA",
        "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
    ] {
        assert!(Verifier::new(key, "crm").is_err(), "{key}");
    }
}

#[test]
fn rejects_a_token_for_each_reason() {
    let eddsa = json!({"alg": "EdDSA"});
    let good = signed(&eddsa, &json!({"sub": "a"}));
    let mut forged = good.clone();
    forged.replace_range(
        good.len() - 4..good.len() - 2,
        if good.contains("AA") { "BB" } else { "AA" },
    );
    let cases = [
        ("", Rejected::Malformed),
        ("a.b", Rejected::Malformed),
        ("a.b.c.d", Rejected::Malformed),
        (&forged, Rejected::Signature),
        (
            &signed(&json!({"alg": "none"}), &json!({})),
            Rejected::Algorithm,
        ),
        (
            &signed(&json!({"alg": "HS256"}), &json!({})),
            Rejected::Algorithm,
        ),
        (
            &signed(&json!({"alg": "EdDSA", "crit": ["x"]}), &json!({})),
            Rejected::Algorithm,
        ),
        (&signed(&eddsa, &json!({"exp": 999_999})), Rejected::Expired),
        (
            &signed(&eddsa, &json!({"nbf": 1_000_001})),
            Rejected::NotYet,
        ),
        (
            &signed(&eddsa, &json!({"aud": "other"})),
            Rejected::Audience,
        ),
        (
            &signed(&eddsa, &json!({"aud": ["x", "y"]})),
            Rejected::Audience,
        ),
        (
            &signed(&eddsa, &json!({"rights": "all"})),
            Rejected::Malformed,
        ),
    ];
    for (token, expected) in cases {
        assert_eq!(
            verifier().verify(token, now()).unwrap_err(),
            expected,
            "{token}"
        );
    }
    for payload in [
        json!({"aud": ["x", "crm"]}),
        json!({"exp": 1_000_001.5}),
        json!({}),
    ] {
        assert!(
            verifier().verify(&signed(&eddsa, &payload), now()).is_ok(),
            "{payload}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn accepts_no_text_that_was_not_signed(text in "[A-Za-z0-9_.-]{0,200}") {
        prop_assert!(verifier().verify(&text, now()).is_err());
    }
}
