//! `crm`: the customer database. SQLite behind HTTP; tokens say who may do what.

pub mod access;
pub mod api;
pub mod database;
pub mod schema;

use std::path::Path;

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::program::Failure;
use crate::settings::Settings;
use crate::token::Verifier;
use crate::{cdnow, serve};

use self::access::Access;
use self::api::Crm;
use self::database::Database;

/// Opens the database, imports the purchases of the calibration period if that was
/// not done yet, and makes the service.
///
/// # Errors
/// If a setting is missing, or the database or the seed file cannot be used.
pub fn open(settings: &Settings) -> Result<Crm, Failure> {
    let folder = settings.required("DATA_DIR", "the folder that holds crm.db")?;
    let seed = settings.required("SEED_FILE", "the file of the purchases to import")?;
    let key = settings
        .secret("TOKEN_PUBLIC_KEY")?
        .ok_or("TOKEN_PUBLIC_KEY is not set; set it, or TOKEN_PUBLIC_KEY_FILE, to the key that signs tokens")?;
    let access = Access {
        tokens: Verifier::new(&key, "crm")?,
        admin_password: settings.secret("ADMIN_PASSWORD")?,
    };
    let mut database = Database::open(&Path::new(folder).join("crm.db"))?;
    if database.is_seeded()? {
        info!("the purchases were imported before");
    } else {
        let end = cdnow::calibration_end();
        let purchases: Vec<_> = cdnow::read(Path::new(seed))?
            .into_iter()
            .filter(|purchase| purchase.date <= end)
            .collect();
        database.seed(&purchases)?;
        info!(purchases = purchases.len(), "imported");
    }
    Ok(Crm::new(database, access))
}

/// Runs the service until `stop` is cancelled.
///
/// # Errors
/// If it cannot start.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), Failure> {
    let crm = open(&settings)?;
    let listener = serve::bind(&settings).await?;
    serve::serve(listener, api::router(crm), stop).await;
    Ok(())
}
