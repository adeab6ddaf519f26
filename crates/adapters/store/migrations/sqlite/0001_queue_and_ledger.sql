CREATE TABLE tasks (
    id         TEXT    NOT NULL UNIQUE,
    state      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    document   TEXT    NOT NULL
);
CREATE INDEX tasks_by_age ON tasks (created_at, id);
CREATE INDEX tasks_by_state ON tasks (state, created_at, id);

-- One row for each attempt that waits or is leased: an index over the tasks' documents. A class is the kind of
-- work, the privacy tier, the sandbox level and the model demanded: all that decides who may take the row.
CREATE TABLE queue (
    seq       INTEGER PRIMARY KEY,
    attempt   TEXT    NOT NULL UNIQUE,
    task      TEXT    NOT NULL,
    class     TEXT    NOT NULL,
    rank      INTEGER NOT NULL,
    leased    INTEGER NOT NULL,
    worker    TEXT,
    due       INTEGER NOT NULL,
    -- Whether it was put here to wait until `due`; most rows may be taken from the start.
    paused    INTEGER NOT NULL
);
CREATE INDEX queue_ready ON queue (class, rank DESC, seq, due) WHERE leased = 0;
CREATE INDEX queue_paused ON queue (due) WHERE paused = 1;
CREATE INDEX queue_deadlines ON queue (due) WHERE leased = 1;
CREATE INDEX queue_holders ON queue (worker) WHERE leased = 1;

CREATE TABLE outputs (
    task    TEXT    NOT NULL,
    subtask INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    UNIQUE (task, subtask)
);

CREATE TABLE idempotency (
    key         TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    task        TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE entries (
    coordinator TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    id          TEXT    NOT NULL,
    event_type  TEXT    NOT NULL,
    task        TEXT,
    subtask     TEXT,
    actor       TEXT    NOT NULL,
    issued_at   INTEGER NOT NULL,
    prev_hash   TEXT    NOT NULL,
    payload     TEXT,
    hash        TEXT    NOT NULL,
    PRIMARY KEY (coordinator, sequence)
) WITHOUT ROWID;
CREATE INDEX entries_by_task ON entries (task, sequence);

CREATE TABLE checkpoints (
    coordinator TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    hash        TEXT    NOT NULL,
    signed_at   INTEGER NOT NULL,
    signature   TEXT    NOT NULL,
    PRIMARY KEY (coordinator, sequence)
) WITHOUT ROWID;

CREATE TABLE nodes (
    id       TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
) WITHOUT ROWID;

-- Appended to, read at the start, forgotten from the front: the one process that writes here knows them by heart.
CREATE TABLE nonces (
    source     TEXT    NOT NULL,
    nonce      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
);
