//! Every built-in type: made, kept, changed, read after a change from outside, deleted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use consort_driver::{
    Applied, ApplyRequest, Context, Driver, DriverError, Facts, Intent, Observed, PlanRequest,
    Resolution, SecretValue, Secrets, StepKey,
};
use consort_model::id::HomeId;
use consort_model::plan::Operation;
use consort_model::state::Object;
use consort_model::{Address, Digest, Kind, Partial, SecretHandle, Timestamp, Value};
use serde_json::json;

#[derive(Default)]
struct Vault(Mutex<BTreeMap<SecretHandle, String>>);

#[async_trait]
impl Secrets for Vault {
    async fn secret_value(&self, handle: &SecretHandle) -> Result<SecretValue, DriverError> {
        let found = self.0.lock().unwrap().get(handle).cloned();
        found
            .map(SecretValue::new)
            .ok_or_else(|| DriverError::new(consort_model::Code::STORE_CORRUPT, "no such secret"))
    }
}

#[async_trait]
impl Facts for Vault {
    async fn fact_get(&self, _: &str, _: &str) -> Result<Option<Value>, DriverError> {
        Ok(None)
    }
    async fn fact_list(&self, _: &str) -> Result<Vec<(String, Value)>, DriverError> {
        Ok(Vec::new())
    }
    async fn fact_put(&self, _: &str, _: &str, _: Option<Value>) -> Result<(), DriverError> {
        Ok(())
    }
    async fn blob(&self, _: Digest) -> Result<Vec<u8>, DriverError> {
        Ok(Vec::new())
    }
}

struct World {
    driver: Box<dyn Driver>,
    vault: Arc<Vault>,
    context: Context,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::default());
        let context = Context {
            deployment: "test".into(),
            home: HomeId::from_bytes([1; 16]),
            home_directory: folder.path().to_owned(),
            socket_directory: folder.path().to_owned(),
            project_directory: folder.path().to_owned(),
            now: Timestamp::from_millis(1_800_000_000_000),
            secrets: Arc::clone(&vault) as Arc<dyn Secrets>,
            facts: Arc::clone(&vault) as Arc<dyn Facts>,
        };
        Self {
            driver: Box::new(consort_driver_builtin::driver()),
            vault,
            context,
            _folder: folder,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.context.project_directory.join(name)
    }

    fn secret(&self, name: &str, value: &str) -> String {
        let handle = SecretHandle {
            name: name.into(),
            version: 1,
        };
        self.vault
            .0
            .lock()
            .unwrap()
            .insert(handle.clone(), value.into());
        handle.token()
    }

    fn request(
        &self,
        type_name: &str,
        operation: Operation,
        prior: Option<Object>,
        desired: Value,
    ) -> ApplyRequest {
        ApplyRequest {
            key: StepKey("key".into()),
            address: Address::new(Kind::Resource, "x"),
            type_name: type_name.into(),
            operation,
            prior,
            desired,
        }
    }

    async fn make(&self, type_name: &str, desired: Value) -> (Object, Applied) {
        self.try_make(type_name, desired, None).await.unwrap()
    }

    async fn try_make(
        &self,
        type_name: &str,
        desired: Value,
        prior: Option<Object>,
    ) -> Result<(Object, Applied), DriverError> {
        let operation = if prior.is_some() {
            Operation::Update
        } else {
            Operation::Create { replaces: false }
        };
        let request = self.request(type_name, operation, prior, desired.clone());
        let applied = self.driver.apply(&self.context, request).await?;
        let mut attributes = applied.attributes.clone();
        for (name, value) in &applied.secrets {
            attributes[name.as_str()] = self.secret(&format!("x.{name}"), value.reveal()).into();
        }
        Ok((
            Object {
                id: applied.id.clone(),
                desired,
                attributes,
                tainted: false,
            },
            applied,
        ))
    }

    async fn plan(
        &self,
        type_name: &str,
        prior: Option<&Object>,
        desired: Value,
    ) -> Result<(bool, Vec<String>), DriverError> {
        let request = PlanRequest {
            address: Address::new(Kind::Resource, "x"),
            type_name: type_name.into(),
            prior: prior.cloned(),
            desired: Partial::from(desired),
        };
        self.driver
            .plan(&self.context, request)
            .await
            .map(|change| (change.changes, change.requires_replacement))
    }

    async fn delete(&self, type_name: &str, object: &Object) -> Result<(), DriverError> {
        let request = self.request(
            type_name,
            Operation::Delete { deposed: None },
            Some(object.clone()),
            Value::Null,
        );
        self.driver.apply(&self.context, request).await.map(|_| ())
    }

    async fn read(&self, type_name: &str, object: &Object) -> Observed {
        self.driver
            .read(&self.context, type_name, object)
            .await
            .unwrap()
    }
}

/// Settings of each type that make something.
fn samples(world: &World) -> Vec<(&'static str, Value)> {
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n-----END PRIVATE KEY-----\n";
    let token = world.secret("resources.key.private_key_pem", key);
    vec![
        ("password", json!({"length": 32})),
        ("random_id", json!({"bytes": 4})),
        ("signing_key", json!({})),
        (
            "token",
            json!({"key": token, "subject": "reader", "rights": ["customers:read"]}),
        ),
        (
            "certificate",
            json!({"common_name": "localhost", "dns_names": ["localhost"], "ip_addresses": ["127.0.0.1"]}),
        ),
        ("directory", json!({"path": "data/deep", "mode": "0750"})),
        ("file", json!({"path": "conf.txt", "content": "hello\n"})),
    ]
}

#[tokio::test]
async fn every_type_is_made_kept_and_deleted() {
    let world = World::new();
    for (type_name, settings) in samples(&world) {
        assert!(
            world
                .plan(type_name, None, settings.clone())
                .await
                .unwrap()
                .0,
            "{type_name}: a new one is a change"
        );
        let (object, _) = world.make(type_name, settings.clone()).await;
        let again = world
            .plan(type_name, Some(&object), settings)
            .await
            .unwrap();
        assert_eq!(
            again,
            (false, vec![]),
            "{type_name}: planning again changes nothing"
        );
        assert!(
            matches!(world.read(type_name, &object).await, Observed::Present(_)),
            "{type_name}"
        );
        let request = world.request(
            type_name,
            Operation::Create { replaces: false },
            None,
            object.desired.clone(),
        );
        let resolved = world
            .driver
            .resolve(&world.context, Intent { request })
            .await
            .unwrap();
        assert_eq!(resolved, Resolution::Repeat, "{type_name}");
        world.delete(type_name, &object).await.unwrap();
        world.delete(type_name, &object).await.unwrap(); // what is gone is no error
    }
}

#[tokio::test]
async fn sensitive_attributes_are_told_apart_from_the_others() {
    let world = World::new();
    for (type_name, settings) in samples(&world) {
        let schema = world
            .driver
            .types()
            .into_iter()
            .find(|schema| schema.type_name == type_name)
            .unwrap();
        let (_, applied) = world.make(type_name, settings).await;
        for attribute in schema
            .attributes
            .iter()
            .filter(|attribute| attribute.computed)
        {
            let secret = applied.secrets.contains_key(&attribute.name);
            assert_eq!(
                secret, attribute.sensitive,
                "{type_name}.{}",
                attribute.name
            );
            assert!(
                secret || applied.attributes.get(&attribute.name).is_some(),
                "{type_name}.{} has a value",
                attribute.name
            );
        }
    }
}

#[tokio::test]
async fn a_password_has_its_length_and_its_sets() {
    let world = World::new();
    let (_, applied) = world
        .make("password", json!({"length": 8, "special": true}))
        .await;
    let value = applied.secrets["value"].reveal().to_owned();
    assert_eq!(value.len(), 8);
    for set in [
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "abcdefghijklmnopqrstuvwxyz",
        "0123456789",
        "!#%+,-./:=@_~",
    ] {
        assert!(value.chars().any(|letter| set.contains(letter)), "{value}");
    }
    let (object, other) = world.make("password", json!({"length": 8})).await;
    assert_ne!(other.secrets["value"].reveal(), value);
    let forced = world
        .plan("password", Some(&object), json!({"length": 9}))
        .await
        .unwrap()
        .1;
    assert_eq!(forced, ["length"]);
}

#[tokio::test]
async fn a_token_is_signed_by_its_key_and_renewed_before_it_ends() {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use ed25519_dalek::Verifier;
    let mut world = World::new();
    let (key, made) = world.make("signing_key", json!({})).await;
    let pem = world.secret("k", made.secrets["private_key_pem"].reveal());
    let settings = json!({"key": pem, "subject": "workflow", "rights": ["a:read", "b:write"], "expires_in": "10h"});
    let (object, applied) = world.make("token", settings.clone()).await;
    let token = applied.secrets["value"].reveal().to_owned();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let public: [u8; 32] = STANDARD
        .decode(key.attributes["public_key"].as_str().unwrap())
        .unwrap()
        .try_into()
        .unwrap();
    let verifier = ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap();
    let signature =
        ed25519_dalek::Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    verifier.verify(signed.as_bytes(), &signature).unwrap();
    let payload: Value = serde_json::from_slice(
        &URL_SAFE_NO_PAD
            .decode(signed.split_once('.').unwrap().1)
            .unwrap(),
    )
    .unwrap();
    assert_eq!(
        (&payload["sub"], &payload["rights"]),
        (&json!("workflow"), &json!(["a:read", "b:write"]))
    );
    assert!(
        !object.attributes.to_string().contains("PRIVATE KEY"),
        "the key is recorded by its handle"
    );
    world.context.now = world.context.now.plus("7h".parse().unwrap());
    assert!(
        !world
            .plan("token", Some(&object), settings.clone())
            .await
            .unwrap()
            .0
    );
    world.context.now = world.context.now.plus("90m".parse().unwrap());
    assert_eq!(
        world
            .plan("token", Some(&object), settings)
            .await
            .unwrap()
            .1,
        ["expires_at"]
    );
}

#[tokio::test]
async fn a_file_that_is_changed_by_hand_is_noticed_and_put_right() {
    let world = World::new();
    let settings = json!({"path": "conf.txt", "content": "one"});
    let (object, _) = world.make("file", settings.clone()).await;
    std::fs::write(world.path("conf.txt"), "two").unwrap();
    let Observed::Present(seen) = world.read("file", &object).await else {
        panic!("it is there")
    };
    assert_ne!(seen["digest"], object.attributes["digest"]);
    let (object, _) = world
        .try_make("file", settings, Some(object))
        .await
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(world.path("conf.txt")).unwrap(),
        "one"
    );
    std::fs::remove_file(world.path("conf.txt")).unwrap();
    assert_eq!(world.read("file", &object).await, Observed::Gone);
}

#[tokio::test]
async fn a_file_with_a_secret_is_private_and_recorded_without_it() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let token = world.secret("resources.db.value", "hunter2");
    let settings = json!({"path": "s.conf", "content": format!("password={token}\n")});
    let (object, applied) = world.make("file", settings).await;
    assert_eq!(
        std::fs::read_to_string(world.path("s.conf")).unwrap(),
        "password=hunter2\n"
    );
    assert_eq!(
        std::fs::metadata(world.path("s.conf"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    assert!(
        !serde_json::to_string(&object).unwrap().contains("hunter2")
            && !applied.attributes.to_string().contains("hunter2")
    );
}

#[tokio::test]
async fn a_link_in_the_place_of_a_file_is_replaced_and_never_followed() {
    let world = World::new();
    std::fs::write(world.path("victim"), "keep").unwrap();
    std::os::unix::fs::symlink(world.path("victim"), world.path("conf.txt")).unwrap();
    let (object, _) = world
        .make("file", json!({"path": "conf.txt", "content": "mine"}))
        .await;
    assert_eq!(
        std::fs::read_to_string(world.path("victim")).unwrap(),
        "keep"
    );
    assert_eq!(
        std::fs::read_to_string(world.path("conf.txt")).unwrap(),
        "mine"
    );
    std::fs::remove_file(world.path("conf.txt")).unwrap();
    std::os::unix::fs::symlink(world.path("victim"), world.path("conf.txt")).unwrap();
    assert_eq!(world.read("file", &object).await, Observed::Gone);
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_deleted_only_when_asked() {
    let world = World::new();
    let (object, _) = world.make("directory", json!({"path": "d"})).await;
    std::fs::write(world.path("d/x"), "x").unwrap();
    let error = world.delete("directory", &object).await.unwrap_err();
    assert!(error.message.contains("not empty") && error.remedy.is_some());
    let forced = Object {
        desired: json!({"path": "d", "force_delete": true}),
        ..object
    };
    world.delete("directory", &forced).await.unwrap();
    assert!(!Path::new(&forced.id).exists());
}

#[tokio::test]
async fn wrong_settings_are_refused_with_a_remedy() {
    let world = World::new();
    for (type_name, settings, message) in [
        ("pasword", json!({}), "no built-in type"),
        ("password", json!({"lenght": 3}), "no property `lenght`"),
        ("password", json!({"length": 3}), "from 8 to 256"),
        ("password", json!({"length": "x"}), "must be a number"),
        (
            "password",
            json!({"upper": false, "lower": false, "digits": false}),
            "at least one set",
        ),
        (
            "token",
            json!({"subject": "x"}),
            "`key` of type `token` is missing",
        ),
        (
            "signing_key",
            json!({"algorithm": "rsa"}),
            "no algorithm `rsa`",
        ),
        (
            "certificate",
            json!({"common_name": "x", "ip_addresses": ["nope"]}),
            "not an IP address",
        ),
        (
            "file",
            json!({"path": "x", "content": "x", "mode": "rw"}),
            "octal digits",
        ),
        (
            "file",
            json!({"content": "x"}),
            "`path` of type `file` is missing",
        ),
    ] {
        let error = world
            .plan(type_name, None, settings.clone())
            .await
            .unwrap_err();
        assert!(
            error.message.contains(message),
            "{type_name} {settings}: {}",
            error.message
        );
    }
}

#[tokio::test]
async fn a_certificate_is_signed_by_the_authority_that_is_given() {
    let world = World::new();
    let (authority, made) = world
        .make(
            "certificate",
            json!({"common_name": "Authority", "is_ca": true}),
        )
        .await;
    let key = world.secret("ca", made.secrets["private_key_pem"].reveal());
    let settings = json!({
        "common_name": "crm", "dns_names": ["crm"],
        "ca_certificate_pem": authority.attributes["certificate_pem"], "ca_private_key_pem": key,
    });
    let (object, _) = world.make("certificate", settings).await;
    for (name, object) in [("ca.pem", &authority), ("leaf.pem", &object)] {
        std::fs::write(
            world.path(name),
            object.attributes["certificate_pem"].as_str().unwrap(),
        )
        .unwrap();
    }
    // The clock of the test is in the future: openssl is told so.
    let checked = std::process::Command::new("openssl")
        .args(["verify", "-attime", "1800000100", "-CAfile"])
        .arg(world.path("ca.pem"))
        .arg(world.path("leaf.pem"))
        .output();
    match checked {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(_) => eprintln!("skipped: openssl is not installed"),
    }
}
