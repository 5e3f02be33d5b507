-- What the store is, and what it counts: `epoch`, `key_check`.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Runs in the order in which they were recorded. `number` stands for the id in other tables and is
-- never used again. A run's last record is not kept here: the record table knows it.
CREATE TABLE run (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    deployment TEXT NOT NULL,
    subject    TEXT,
    definition BLOB NOT NULL,
    principal  TEXT NOT NULL,
    parent     BLOB,
    key        TEXT,
    key_digest BLOB,
    epoch      INTEGER NOT NULL,
    status     TEXT NOT NULL,
    created    INTEGER NOT NULL,
    ended      INTEGER,
    error      TEXT
) STRICT;
CREATE UNIQUE INDEX run_key ON run (key) WHERE key IS NOT NULL;
CREATE INDEX run_parent ON run (parent) WHERE parent IS NOT NULL;
CREATE INDEX run_deployment ON run (deployment, number);
CREATE INDEX run_open ON run (number) WHERE ended IS NULL;
CREATE INDEX run_ended ON run (ended) WHERE ended IS NOT NULL;

CREATE TABLE record (
    run       INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    v         INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    principal TEXT NOT NULL,
    body      TEXT NOT NULL,
    sum       INTEGER NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

-- Runs that retention has deleted and whose records are still to go.
CREATE TABLE dropped (run INTEGER PRIMARY KEY) STRICT;

CREATE TABLE snapshot (
    run    INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE,
    upto   INTEGER NOT NULL,
    format INTEGER NOT NULL,
    state  TEXT NOT NULL,
    sum    INTEGER NOT NULL,
    PRIMARY KEY (run, upto)
) STRICT;

-- The order of firing is the order of the index `timer_due`; ids as bytes sort as their texts do.
CREATE TABLE timer (
    run   BLOB NOT NULL,
    timer BLOB NOT NULL,
    due   INTEGER NOT NULL,
    PRIMARY KEY (run, timer)
) STRICT, WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due, run, timer);

CREATE TABLE deployment (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       BLOB NOT NULL,
    name     TEXT NOT NULL UNIQUE,
    target   TEXT NOT NULL,
    revision INTEGER,
    changing BLOB,
    created  INTEGER NOT NULL
) STRICT;

CREATE TABLE state (
    deployment INTEGER NOT NULL REFERENCES deployment (number),
    address    TEXT NOT NULL,
    generation INTEGER NOT NULL,
    principal  TEXT NOT NULL,
    body       TEXT NOT NULL,
    sum        INTEGER NOT NULL,
    PRIMARY KEY (deployment, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE revision (
    deployment INTEGER NOT NULL REFERENCES deployment (number) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    run        BLOB NOT NULL,
    complete   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    body       TEXT NOT NULL,
    sum        INTEGER NOT NULL,
    PRIMARY KEY (deployment, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX revision_run ON revision (run);

-- By the deployment's name: the secrets of a plan are there before its deployment is.
CREATE TABLE secret (
    deployment TEXT NOT NULL,
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    sealed     BLOB NOT NULL,
    at         INTEGER NOT NULL,
    principal  TEXT NOT NULL,
    PRIMARY KEY (deployment, name, version)
) STRICT, WITHOUT ROWID;

-- Without `data` the bytes are in a file.
CREATE TABLE blob (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    size   INTEGER NOT NULL,
    data   BLOB,
    at     INTEGER NOT NULL
) STRICT;

CREATE TABLE subscription (
    id         BLOB PRIMARY KEY,
    run        BLOB NOT NULL,
    deployment TEXT NOT NULL,
    event_type TEXT,
    filter     TEXT NOT NULL,
    since      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_run ON subscription (run);

CREATE TABLE inbox (
    place      INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment TEXT NOT NULL,
    source     TEXT NOT NULL,
    id         TEXT NOT NULL,
    event_type TEXT NOT NULL,
    at         INTEGER NOT NULL,
    body       TEXT NOT NULL,
    UNIQUE (deployment, source, id)
) STRICT;

CREATE TABLE inbox_mark (
    consumer TEXT PRIMARY KEY,
    upto     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id     TEXT NOT NULL UNIQUE,
    run    BLOB NOT NULL,
    sink   TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_run ON outbox (run);

CREATE TABLE runtime (
    scope TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
