//! The tables of `crm.db`, by version of the schema.

use rusqlite::Connection;

use super::database::DatabaseError;

/// The statements that lead from each version to the next; the first makes all.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY,
        segment TEXT,
        expected_purchases REAL,
        probability_alive REAL
    ) STRICT;
    CREATE TABLE purchases (
        id INTEGER PRIMARY KEY,
        customer_id INTEGER NOT NULL REFERENCES customers (id),
        date TEXT NOT NULL,
        quantity INTEGER NOT NULL,
        cents INTEGER NOT NULL,
        event_id TEXT UNIQUE
    ) STRICT;
    CREATE INDEX purchases_by_customer ON purchases (customer_id, date);
"];

/// Brings the schema up to date, in one transaction.
///
/// # Errors
/// [`DatabaseError::Newer`] for a file of a later version of this program.
pub fn migrate(connection: &mut Connection) -> Result<(), DatabaseError> {
    let transaction = connection.transaction()?;
    let found: usize = transaction
        .query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0))
        .map(|version| version as usize)?;
    let Some(missing) = MIGRATIONS.get(found..) else {
        return Err(DatabaseError::Newer {
            found,
            known: MIGRATIONS.len(),
        });
    };
    for statements in missing {
        transaction.execute_batch(statements)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    transaction.commit()?;
    Ok(())
}
