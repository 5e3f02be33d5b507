//! What `crm` asks of its database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use crate::cdnow::{Purchase, parse_date};
use crate::lenient;
use crate::segments::history::{History, HistoryBuilder};

use super::schema;

/// The database cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The file cannot be opened.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The file was written by a later version.
    #[error(
        "the database has schema {found}, this program knows up to {known}; use a newer program"
    )]
    Newer {
        /// Version of the file.
        found: usize,
        /// Highest known.
        known: usize,
    },
    /// A statement failed.
    #[error("the database refused a statement")]
    Statement(#[from] rusqlite::Error),
    /// A row holds what nobody wrote.
    #[error("the database holds a date that is none: {0:?}")]
    Date(String),
}

/// What is known of a customer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Number of the customer.
    pub id: u32,
    /// Day of the first purchase.
    pub first_purchase: Option<String>,
    /// Day of the last purchase.
    pub last_purchase: Option<String>,
    /// Number of purchases.
    pub purchases: u32,
    /// Number of CDs bought.
    pub quantity: u64,
    /// Value of all purchases in dollars.
    pub value: f64,
    /// `new`, `loyal` or `at_risk`; nothing until the segments were published.
    pub segment: Option<String>,
    /// Purchases expected in the weeks after the calibration period.
    pub expected_purchases: Option<f64>,
    /// Probability that the customer still buys.
    pub probability_alive: Option<f64>,
}

/// A purchase to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPurchase {
    /// Identifies it: recording it again changes nothing.
    pub event_id: String,
    /// The purchase.
    pub purchase: Purchase,
}

/// What became of a purchase to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is recorded under this number.
    New(i64),
    /// It was recorded before under this number.
    Before(i64),
    /// Something else was recorded under its event id.
    Differs(i64),
    /// There is no such customer.
    NoCustomer,
}

/// The segment of one customer, as the workload publishes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Number of the customer.
    #[serde(deserialize_with = "lenient::whole")]
    pub customer_id: u32,
    /// `new`, `loyal` or `at_risk`.
    pub segment: String,
    /// Purchases expected.
    pub expected_purchases: f64,
    /// Probability that the customer still buys.
    pub probability_alive: f64,
}

/// Counts for the administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Customers.
    pub customers: u32,
    /// Purchases of all of them.
    pub purchases: u32,
    /// Purchases that came as events.
    pub recorded: u32,
    /// Customers by segment; those without one under `none`.
    pub segments: std::collections::BTreeMap<String, u32>,
}

/// One connection to `crm.db`.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
}

impl Database {
    /// Opens the file, makes it where it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let opened = Connection::open(path);
        let mut connection = opened.map_err(|source| DatabaseError::Open {
            path: path.to_owned(),
            source,
        })?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // An answer means that it is on the disk.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        schema::migrate(&mut connection)?;
        Ok(Self { connection })
    }

    /// Whether the import was done.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn is_seeded(&self) -> Result<bool, DatabaseError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'seeded')";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Imports purchases, in one transaction: a crash leaves all or nothing, and
    /// what was imported before is not imported again.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn seed(&mut self, purchases: &[Purchase]) -> Result<(), DatabaseError> {
        if self.is_seeded()? {
            return Ok(());
        }
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut customer =
                transaction.prepare("INSERT OR IGNORE INTO customers (id) VALUES (?1)")?;
            let mut insert = transaction.prepare(
                "INSERT INTO purchases (customer_id, date, quantity, cents) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for Purchase {
                customer: id,
                date,
                quantity,
                cents,
            } in purchases
            {
                customer.execute([id])?;
                insert.execute(params![id, date.to_string(), quantity, *cents as i64])?;
            }
            let count = purchases.len().to_string();
            transaction.execute(
                "INSERT INTO meta (key, value) VALUES ('seeded', ?1)",
                [count],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// The number of customers.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn customer_count(&self) -> Result<u32, DatabaseError> {
        self.number("SELECT COUNT(*) FROM customers")
    }

    /// The profile of one customer, if there is such a one.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn profile(&self, id: u32) -> Result<Option<Profile>, DatabaseError> {
        let sql = "
            SELECT c.id, MIN(p.date), MAX(p.date), COUNT(p.id),
                   COALESCE(SUM(p.quantity), 0), COALESCE(SUM(p.cents), 0),
                   c.segment, c.expected_purchases, c.probability_alive
            FROM customers c LEFT JOIN purchases p ON p.customer_id = c.id
            WHERE c.id = ?1 GROUP BY c.id";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([id], read_profile).optional()?)
    }

    /// Purchase histories until a day, of at most `limit` customers after one.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn histories(
        &self,
        until: Date,
        after: u32,
        limit: u32,
    ) -> Result<Vec<History>, DatabaseError> {
        let sql = "
            SELECT customer_id, date FROM purchases
            WHERE date <= ?1 AND customer_id IN (
                SELECT id FROM customers WHERE id > ?2 ORDER BY id LIMIT ?3)
            ORDER BY customer_id, date";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![until.to_string(), after, limit])?;
        let mut builder = HistoryBuilder::new(until);
        while let Some(row) = rows.next()? {
            let text: String = row.get(1)?;
            let date = parse_date(&text).ok_or(DatabaseError::Date(text))?;
            builder.add(row.get(0)?, date);
        }
        Ok(builder.finish())
    }

    /// Records a purchase, once for each event id.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn record(&mut self, new: &NewPurchase) -> Result<Recorded, DatabaseError> {
        let NewPurchase { event_id, purchase } = new;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = transaction
            .query_row(
                "SELECT id, customer_id, date, quantity, cents FROM purchases WHERE event_id = ?1",
                [event_id],
                |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get(1)?,
                        row.get::<_, String>(2)?,
                        row.get(3)?,
                        row.get(4)?,
                    ))
                },
            )
            .optional()?;
        let wanted = (
            purchase.customer,
            purchase.date.to_string(),
            purchase.quantity,
            purchase.cents as i64,
        );
        if let Some((id, customer, date, quantity, cents)) = known {
            let same = (customer, date, quantity, cents) == wanted;
            return Ok(if same {
                Recorded::Before(id)
            } else {
                Recorded::Differs(id)
            });
        }
        let exists = "SELECT EXISTS (SELECT 1 FROM customers WHERE id = ?1)";
        if !transaction.query_row(exists, [purchase.customer], |row| row.get(0))? {
            return Ok(Recorded::NoCustomer);
        }
        transaction.execute(
            "INSERT INTO purchases (customer_id, date, quantity, cents, event_id) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![wanted.0, wanted.1, wanted.2, wanted.3, event_id],
        )?;
        let id = transaction.last_insert_rowid();
        transaction.commit()?;
        Ok(Recorded::New(id))
    }

    /// Sets segments, all or none; answers the first customer that does not exist.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn assign(&mut self, assignments: &[Assignment]) -> Result<Result<(), u32>, DatabaseError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut update = transaction.prepare(
                "UPDATE customers SET segment = ?2, expected_purchases = ?3, probability_alive = ?4 WHERE id = ?1",
            )?;
            for Assignment {
                customer_id,
                segment,
                expected_purchases,
                probability_alive,
            } in assignments
            {
                let changed = update.execute(params![
                    customer_id,
                    segment,
                    expected_purchases,
                    probability_alive
                ])?;
                if changed == 0 {
                    return Ok(Err(*customer_id));
                }
            }
        }
        transaction.commit()?;
        Ok(Ok(()))
    }

    /// Counts for the administrator.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn stats(&self) -> Result<Stats, DatabaseError> {
        let sql = "SELECT COALESCE(segment, 'none'), COUNT(*) FROM customers GROUP BY 1";
        let mut statement = self.connection.prepare(sql)?;
        let segments = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        Ok(Stats {
            customers: self.customer_count()?,
            purchases: self.number("SELECT COUNT(*) FROM purchases")?,
            recorded: self.number("SELECT COUNT(event_id) FROM purchases")?,
            segments,
        })
    }

    fn number(&self, sql: &str) -> Result<u32, DatabaseError> {
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

fn read_profile(row: &Row<'_>) -> rusqlite::Result<Profile> {
    Ok(Profile {
        id: row.get(0)?,
        first_purchase: row.get(1)?,
        last_purchase: row.get(2)?,
        purchases: row.get(3)?,
        quantity: row.get::<_, i64>(4)?.unsigned_abs(),
        value: lenient::dollars(row.get::<_, i64>(5)?.unsigned_abs()),
        segment: row.get(6)?,
        expected_purchases: row.get(7)?,
        probability_alive: row.get(8)?,
    })
}
