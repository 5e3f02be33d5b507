//! Secrets, sealed with a key that is not in the database: XChaCha20-Poly1305, a fresh nonce for
//! each, bound to the deployment, the name and the version that it is for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use consort_journal::{Sensitive, StoreError};
use consort_model::SecretHandle;
use rusqlite::{Connection, OptionalExtension};

use crate::error::{corrupt, failed, reading, with_file, writing};
use crate::home;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Sealed at the first opening: tells the right key from a wrong one.
const CHECK: &str = "key_check";
const CHECK_TEXT: &[u8] = b"consort";

/// Seals and opens secret values.
pub(crate) struct Vault {
    cipher: XChaCha20Poly1305,
}

impl Vault {
    /// Reads the key of a store, or makes it for a new one.
    pub(crate) fn open(conn: &Connection, key_file: &Path) -> Result<Self, StoreError> {
        let check: Option<Vec<u8>> = conn
            .query_row("SELECT value FROM meta WHERE name = ?1", [CHECK], |row| {
                row.get(0)
            })
            .optional()
            .map_err(reading("read the check of the key"))?;
        if check.is_none() && !key_file.exists() {
            let mut key = [0; KEY_BYTES];
            random(&mut key)?;
            home::write_private(key_file, &key)?;
        }
        let vault = Self::read(key_file)?;
        match check {
            Some(sealed) => vault.prove(&sealed, key_file)?,
            None => {
                let sealed = vault.seal_bytes(CHECK.as_bytes(), CHECK_TEXT)?;
                conn.execute("INSERT INTO meta VALUES (?1, ?2)", (CHECK, sealed))
                    .map_err(writing("record the check of the key"))?;
            }
        }
        Ok(vault)
    }

    /// Reads a key and proves it, without writing anything.
    pub(crate) fn check(conn: &Connection, key_file: &Path) -> Result<Self, StoreError> {
        let vault = Self::read(key_file)?;
        let sealed: Option<Vec<u8>> = conn
            .query_row("SELECT value FROM meta WHERE name = ?1", [CHECK], |row| {
                row.get(0)
            })
            .optional()
            .map_err(reading("read the check of the key"))?;
        vault.prove(&sealed.unwrap_or_default(), key_file)?;
        Ok(vault)
    }

    fn read(key_file: &Path) -> Result<Self, StoreError> {
        let doing = "read the key of the secrets";
        let bytes = fs::read(key_file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => failed(
                doing,
                format!(
                    "{} is missing; put it back from a backup: without it no secret can be read",
                    key_file.display()
                ),
            ),
            _ => with_file(doing, key_file)(error),
        })?;
        let mode = fs::metadata(key_file)
            .map_err(with_file(doing, key_file))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            let name = key_file.display();
            return Err(failed(
                doing,
                format!("others may read {name}; `chmod 600 {name}`"),
            ));
        }
        if bytes.len() != KEY_BYTES {
            let name = key_file.display();
            return Err(corrupt(format!(
                "{name} has {} bytes, a key has 32",
                bytes.len()
            )));
        }
        let cipher =
            XChaCha20Poly1305::new_from_slice(&bytes).map_err(|error| failed(doing, error))?;
        Ok(Self { cipher })
    }

    fn prove(&self, sealed: &[u8], key_file: &Path) -> Result<(), StoreError> {
        match self.open_bytes(CHECK.as_bytes(), sealed) {
            Some(text) if text == CHECK_TEXT => Ok(()),
            _ => Err(corrupt(format!(
                "{} is not the key that this store was sealed with; put the right one back",
                key_file.display()
            ))),
        }
    }

    /// Seals a value for its place.
    pub(crate) fn seal(
        &self,
        deployment: &str,
        handle: &SecretHandle,
        value: &Sensitive,
    ) -> Result<Vec<u8>, StoreError> {
        self.seal_bytes(&place(deployment, handle), value.reveal().as_bytes())
    }

    /// Opens the value of a place.
    pub(crate) fn unseal(
        &self,
        deployment: &str,
        handle: &SecretHandle,
        sealed: &[u8],
    ) -> Result<Sensitive, StoreError> {
        self.open_bytes(&place(deployment, handle), sealed)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Sensitive::new)
            .ok_or_else(|| {
                corrupt(format!(
                    "secret {handle} of `{deployment}` cannot be opened"
                ))
            })
    }

    fn seal_bytes(&self, place: &[u8], text: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let payload = Payload {
            msg: text,
            aad: place,
        };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|error| failed("seal a secret", error))?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn open_bytes(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: sealed,
            aad: place,
        };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()
    }
}

/// What a sealed value is bound to; lengths keep the parts apart.
fn place(deployment: &str, handle: &SecretHandle) -> Vec<u8> {
    let SecretHandle { name, version } = handle;
    let mut place = Vec::with_capacity(deployment.len() + name.len() + 20);
    for part in [deployment, name.as_str()] {
        place.extend((part.len() as u64).to_le_bytes());
        place.extend(part.as_bytes());
    }
    place.extend(version.to_le_bytes());
    place
}

fn random(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes).map_err(|error| failed("draw random bytes", error))
}

/// Where the key of a folder is.
pub(crate) fn key_path(dir: &Path, named: Option<&PathBuf>) -> PathBuf {
    named.map_or_else(|| dir.join(home::KEY), PathBuf::clone)
}
