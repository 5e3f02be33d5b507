use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use consort_journal::{Batch, NewSecret, Sensitive, Store, StoreError};
use consort_store::{Options, SqliteStore};

use crate::support::*;

const VALUE: &str = "correct-horse-battery-staple";

fn secret(version: u32) -> Batch {
    let handle = consort_model::SecretHandle {
        name: "resources.db.value".into(),
        version,
    };
    let value = Sensitive::new(VALUE.into());
    let secrets = vec![NewSecret {
        deployment: "shop".into(),
        handle,
        value,
    }];
    Batch { secrets, ..batch() }
}

async fn value(store: &SqliteStore) -> Result<Option<String>, StoreError> {
    let handle = "resources.db.value@1".parse().unwrap();
    let found = store.secret_get("shop", &handle).await?;
    Ok(found.map(|value| value.reveal().to_owned()))
}

fn files_with(dir: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if fs::read(&path)
            .unwrap()
            .windows(needle.len())
            .any(|bytes| bytes == needle)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn a_secret_is_nowhere_in_plain() {
    let (dir, store) = fresh();
    for version in 1..=50 {
        write(&store, secret(version)).await;
    }
    write(&store, of([part(1, 0, vec!["needle-in-a-record".into()])])).await;
    assert_eq!(files_with(dir.path(), VALUE.as_bytes()), [""; 0], "open");
    assert_ne!(
        files_with(dir.path(), b"needle-in-a-record"),
        [""; 0],
        "the search works"
    );
    store.backup(&dir.path().join("backup")).await.unwrap();
    assert_eq!(value(&store).await.unwrap().as_deref(), Some(VALUE));
    drop(store);
    assert_eq!(files_with(dir.path(), VALUE.as_bytes()), [""; 0], "closed");
}

#[tokio::test]
async fn without_its_key_a_store_is_not_opened() {
    let (dir, store) = fresh();
    write(&store, secret(1)).await;
    drop(store);
    let (home, key) = (home(&dir), home(&dir).join("key"));
    let right = fs::read(&key).unwrap();
    let opened = || SqliteStore::open(&home, options()).map(|_| ());
    fs::remove_file(&key).unwrap();
    assert!(
        matches!(opened(), Err(StoreError::Failed { .. })),
        "missing"
    );
    assert!(!key.exists(), "a new key is not made for an old store");
    let private = |bytes: &[u8]| {
        fs::write(&key, bytes).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    };
    private(&[1; 32]);
    assert!(is_corrupt(&opened()), "wrong");
    private(&right[..31]);
    assert!(is_corrupt(&opened()), "short");
    private(&right);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = opened().unwrap_err().to_string();
    assert!(refused.contains("chmod 600"), "{refused}");
    private(&right);
    assert_eq!(value(&open(&home)).await.unwrap().as_deref(), Some(VALUE));
}

#[tokio::test]
async fn a_key_may_be_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("elsewhere");
    let home = dir.path().join("home");
    let options = Options {
        key_file: Some(key.clone()),
        ..options()
    };
    let store = SqliteStore::open(&home, options).unwrap();
    write(&store, secret(1)).await;
    assert!(key.exists() && !home.join("key").exists());
}

#[tokio::test]
async fn a_sealed_value_is_bound_to_its_place() {
    let (dir, store) = fresh();
    write(&store, secret(1)).await;
    let conn = raw(&home(&dir));
    for sql in [
        "INSERT INTO secret SELECT 'other', name, version, sealed, at, principal FROM secret",
        "UPDATE secret SET version = 2 WHERE deployment = 'other'",
    ] {
        conn.execute(sql, []).unwrap();
        for handle in ["resources.db.value@1", "resources.db.value@2"] {
            let moved = store.secret_get("other", &handle.parse().unwrap()).await;
            assert!(
                matches!(moved, Ok(None) | Err(StoreError::Corrupt { .. })),
                "{moved:?}"
            );
        }
    }
    let findings = store.verify().await.unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
}
