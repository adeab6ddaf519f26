CREATE TABLE tasks (
    id         TEXT    NOT NULL UNIQUE,
    state      TEXT    NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    document   TEXT    NOT NULL
);
CREATE INDEX tasks_by_age ON tasks (created_at, id);
CREATE INDEX tasks_by_state ON tasks (state, created_at, id);

-- One row for each attempt that waits or is leased: an index over the tasks' documents. A class is the kind of
-- work, the privacy tier, the sandbox level and the model demanded: all that decides who may take the row.
CREATE TABLE queue (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attempt   TEXT    NOT NULL UNIQUE,
    task      TEXT    NOT NULL,
    class     TEXT    NOT NULL,
    rank      BIGINT NOT NULL,
    leased    BOOLEAN NOT NULL,
    worker    TEXT,
    due       BIGINT NOT NULL,
    -- Whether it was put here to wait until `due`; most rows may be taken from the start.
    paused    BOOLEAN NOT NULL
);
CREATE INDEX queue_ready ON queue (class, rank DESC, seq, due) WHERE NOT leased;
CREATE INDEX queue_paused ON queue (due) WHERE paused;
CREATE INDEX queue_deadlines ON queue (due) WHERE leased;
CREATE INDEX queue_holders ON queue (worker) WHERE leased;

CREATE TABLE outputs (
    task    TEXT    NOT NULL,
    subtask BIGINT NOT NULL,
    body    TEXT    NOT NULL,
    UNIQUE (task, subtask)
);

CREATE TABLE idempotency (
    key         TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    task        TEXT NOT NULL
);

-- `position` orders what several coordinators say of one task: whoever writes holds the task's row.
CREATE TABLE entries (
    position    BIGINT GENERATED ALWAYS AS IDENTITY,
    coordinator TEXT    NOT NULL,
    sequence    BIGINT NOT NULL,
    id          TEXT    NOT NULL,
    event_type  TEXT    NOT NULL,
    task        TEXT,
    subtask     TEXT,
    actor       TEXT    NOT NULL,
    issued_at   BIGINT NOT NULL,
    prev_hash   TEXT    NOT NULL,
    payload     TEXT,
    hash        TEXT    NOT NULL,
    PRIMARY KEY (coordinator, sequence)
);
CREATE INDEX entries_by_task ON entries (task, position);

CREATE TABLE checkpoints (
    coordinator TEXT    NOT NULL,
    sequence    BIGINT NOT NULL,
    hash        TEXT    NOT NULL,
    signed_at   BIGINT NOT NULL,
    signature   TEXT    NOT NULL,
    PRIMARY KEY (coordinator, sequence)
);

CREATE TABLE nodes (
    id       TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
);

CREATE TABLE nonces (
    source     TEXT    NOT NULL,
    nonce      TEXT    NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (source, nonce)
);
CREATE INDEX nonces_by_age ON nonces (expires_at);
