use std::path::PathBuf;

use super::*;
use crate::connection;

/// What a next version may look like.
const NEXT: Migration = Migration {
    number: 2,
    name: "0002_next",
    sql: "ALTER TABLE run ADD COLUMN note TEXT; INSERT INTO meta VALUES ('two', x'02');",
};

fn file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = home::database(dir.path());
    home::make_private(&path).unwrap();
    (dir, path)
}

fn schema(conn: &Connection) -> String {
    let sql = "SELECT group_concat(sql || ';', char(10)) FROM
        (SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name)";
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn versions_are_numbered_without_gaps_and_match_the_file() {
    for (expected, migration) in (1..).zip(MIGRATIONS) {
        assert_eq!(migration.number, expected);
        assert!(migration.name.starts_with(&format!("{expected:04}_")));
    }
    let (_dir, path) = file();
    let conn = connection::writer(&path).unwrap();
    migrate(&conn, &path, MIGRATIONS, 1).unwrap();
    assert_eq!(version(&conn).unwrap(), MIGRATIONS.last().unwrap().number);
}

#[test]
fn an_older_file_comes_up_and_is_kept_as_it_was() {
    let (_dir, path) = file();
    let list = [MIGRATIONS[0], NEXT];
    let conn = connection::writer(&path).unwrap();
    migrate(&conn, &path, &list[..1], 1).unwrap();
    conn.execute("INSERT INTO meta VALUES ('one', x'01')", [])
        .unwrap();
    migrate(&conn, &path, &list, 2).unwrap();
    let rows: u32 = conn
        .query_row("SELECT count(*) FROM meta", [], |row| row.get(0))
        .unwrap();
    assert_eq!((version(&conn).unwrap(), rows), (2, 2));
    let copy = Connection::open(path.with_file_name("state.db.before-2")).unwrap();
    assert_eq!(version(&copy).unwrap(), 1);

    let (_fresh_dir, fresh_path) = file();
    let fresh = connection::writer(&fresh_path).unwrap();
    migrate(&fresh, &fresh_path, &list, 3).unwrap();
    assert_eq!(
        schema(&fresh),
        schema(&conn),
        "a fresh file has the sum of all steps"
    );
}

#[test]
fn a_second_time_nothing_happens() {
    let (_dir, path) = file();
    let conn = connection::writer(&path).unwrap();
    migrate(&conn, &path, MIGRATIONS, 1).unwrap();
    let before = schema(&conn);
    migrate(&conn, &path, MIGRATIONS, 2).unwrap();
    assert_eq!(schema(&conn), before);
    let applied: i64 = conn
        .query_row("SELECT max(applied) FROM schema_migration", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(applied, 1);
}

#[test]
fn a_newer_or_edited_schema_is_refused() {
    let (_dir, path) = file();
    let conn = connection::writer(&path).unwrap();
    migrate(&conn, &path, &[MIGRATIONS[0], NEXT], 1).unwrap();
    assert_eq!(
        migrate(&conn, &path, MIGRATIONS, 2),
        Err(StoreError::Newer { found: 2, known: 1 })
    );
    let edited = Migration {
        sql: "SELECT 1",
        ..NEXT
    };
    let refused = migrate(&conn, &path, &[MIGRATIONS[0], edited], 2);
    assert!(
        matches!(refused, Err(StoreError::Corrupt { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_step_that_fails_changes_nothing() {
    let (_dir, path) = file();
    let conn = connection::writer(&path).unwrap();
    migrate(&conn, &path, MIGRATIONS, 1).unwrap();
    let before = schema(&conn);
    let broken = Migration {
        sql: "CREATE TABLE extra (x); CREATE TABLE run (y);",
        ..NEXT
    };
    assert!(migrate(&conn, &path, &[MIGRATIONS[0], broken], 2).is_err());
    assert_eq!((schema(&conn), version(&conn).unwrap()), (before, 1));
}

#[test]
fn the_released_schema_is_frozen() {
    let (_dir, path) = file();
    let conn = connection::writer(&path).unwrap();
    migrate(&conn, &path, MIGRATIONS, 1).unwrap();
    let checksums: Vec<_> = MIGRATIONS
        .iter()
        .map(|migration| checksum(migration.sql)[..12].to_owned())
        .collect();
    // Never change a line that was released: the files of users hold these sums.
    assert_eq!(checksums, ["179eacbceda6"]);
}
