-- Format 1. Times are milliseconds since 1970 UTC; statuses and kinds of events are the core's numbers.

-- What the ledger says of itself.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- The least format that a program must know to read and to write this file; the last sweep; the newest event, task and
-- flow that were pruned: numbers are never used again.
INSERT INTO meta (key, value) VALUES ('min_reader', 1), ('min_writer', 1), ('swept_at', 0),
    ('pruned_seq', 0), ('pruned_number', 0), ('pruned_flow', 0);

-- Policy that somebody set; without a value it was returned to its default. Of two rows the higher revision is newer.
CREATE TABLE config (
    key      TEXT NOT NULL PRIMARY KEY,
    value    TEXT,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Machines, boots and pid namespaces that executors named.
CREATE TABLE host (
    id            INTEGER PRIMARY KEY,
    machine       TEXT,
    boot          TEXT,
    pid_namespace INTEGER
) STRICT;

-- One row a task. Columns up to `origin` never change; the others are the fold of its events.
CREATE TABLE task (
    number             INTEGER PRIMARY KEY,
    id                 BLOB NOT NULL CHECK (length(id) = 16),
    owner              TEXT NOT NULL,
    key                TEXT,
    runtime            TEXT NOT NULL,
    queue_timeout      INTEGER,
    timeout            INTEGER,
    label              TEXT NOT NULL,
    metadata           TEXT,
    status             INTEGER NOT NULL CHECK (status BETWEEN 1 AND 7),
    revision           INTEGER NOT NULL,
    generation         INTEGER NOT NULL,
    attempt            INTEGER NOT NULL,
    progress_reports   INTEGER NOT NULL,
    last_event         INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    started_at         INTEGER,
    ended_at           INTEGER,
    updated_at         INTEGER NOT NULL,
    attempt_started_at INTEGER,
    heartbeat_at       INTEGER,
    progress_at        INTEGER,
    lease              INTEGER,
    lease_expires_at   INTEGER,
    lease_host         INTEGER,
    lease_clock        INTEGER,
    host               INTEGER,
    pid                INTEGER,
    pid_started        INTEGER,
    nonce              TEXT,
    group_id           INTEGER,
    group_started      INTEGER,
    kind               TEXT,
    source_id          TEXT,
    run_id             TEXT,
    requester_session  TEXT,
    session            TEXT,
    agent              TEXT,
    requester_agent    TEXT,
    parent             BLOB,
    root               BLOB,
    flow               BLOB,
    retry_of           BLOB,
    notify             TEXT NOT NULL,
    outcome            TEXT,
    reason             TEXT,
    waiting_on         TEXT,
    exit_code          INTEGER,
    signal             INTEGER,
    cancel             TEXT,
    progress           TEXT,
    usage              TEXT,
    artifacts          TEXT,
    error              TEXT,
    summary            TEXT,
    output             TEXT,
    result             TEXT,
    task               TEXT,
    origin             TEXT,
    CHECK ((status IN (1, 2)) = (ended_at IS NULL)),
    CHECK (created_at <= coalesce(started_at, created_at)
       AND coalesce(started_at, created_at) <= coalesce(ended_at, updated_at)
       AND coalesce(ended_at, updated_at) <= updated_at)
) STRICT;

CREATE UNIQUE INDEX task_id ON task (id);
CREATE UNIQUE INDEX task_key ON task (owner, key) WHERE key IS NOT NULL;
CREATE INDEX task_run ON task (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX task_session ON task (session) WHERE session IS NOT NULL;
CREATE INDEX task_requester_session ON task (requester_session) WHERE requester_session IS NOT NULL;
CREATE INDEX task_kind ON task (kind) WHERE kind IS NOT NULL;
CREATE INDEX task_agent ON task (agent) WHERE agent IS NOT NULL;
CREATE INDEX task_parent ON task (parent) WHERE parent IS NOT NULL;
CREATE INDEX task_flow ON task (flow) WHERE flow IS NOT NULL;
CREATE INDEX task_flow_active ON task (flow) WHERE flow IS NOT NULL AND status <= 2;
-- What the audit looks at, and the rarer ends. Successes are the bulk and are found from the newest.
CREATE INDEX task_status ON task (status) WHERE status <> 3;
-- Queued tasks with a deadline, by it: what maintenance looks at does not grow with what merely waits.
CREATE INDEX task_expiring ON task (created_at + queue_timeout) WHERE status = 1 AND queue_timeout IS NOT NULL;
-- The operator's own records are the bulk and are found from the newest.
CREATE INDEX task_owner ON task (owner) WHERE owner <> 'local';
-- What ended, by what says how long it stays, oldest first.
CREATE INDEX task_ended ON task (runtime, kind, status, updated_at) WHERE status > 2;
-- Empty unless somebody wrote a row by hand, past the checks above.
CREATE INDEX task_times_out_of_order ON task (number)
    WHERE NOT (created_at <= coalesce(started_at, created_at)
           AND coalesce(started_at, created_at) <= coalesce(ended_at, updated_at)
           AND coalesce(ended_at, updated_at) <= updated_at);

-- The history. `prev` chains a task's events from its newest (task.last_event), so that no index is needed.
CREATE TABLE event (
    seq  INTEGER PRIMARY KEY,
    task INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    data TEXT
) STRICT;

-- Notices owed. States: 1 pending, 2 claimed, 3 delivered, 4 dismissed, 5 dead letter. `kind`: the event's. `owed_at`:
-- when it was first due; `due_at`: when it may be claimed, or claimed again. `letter`: what a dead letter keeps of its
-- task once that is pruned. `known`: whether somebody has claimed for the recipient, and misses what is left for it.
CREATE TABLE notice (
    task       INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    recipient  TEXT NOT NULL,
    kind       INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    state      INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    attempts   INTEGER NOT NULL DEFAULT 0,
    owed_at    INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    claim      TEXT,
    consumer   TEXT,
    reason     TEXT,
    letter     TEXT,
    known      INTEGER NOT NULL,
    PRIMARY KEY (task, seq, recipient)
) STRICT, WITHOUT ROWID;

CREATE INDEX notice_open ON notice (known, recipient, seq) WHERE state <= 2;

CREATE INDEX notice_dead ON notice (known, recipient) WHERE state = 5;
CREATE INDEX notice_letter ON notice (due_at) WHERE letter IS NOT NULL;

-- Recipients that somebody has claimed for: what waits for them is missed.
CREATE TABLE recipient (
    name       TEXT NOT NULL PRIMARY KEY,
    claimed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Findings that somebody knows of.
CREATE TABLE acknowledgement (
    code    TEXT NOT NULL,
    subject TEXT NOT NULL,
    until   INTEGER NOT NULL,
    by      TEXT,
    note    TEXT,
    PRIMARY KEY (code, subject)
) STRICT, WITHOUT ROWID;

-- What is left of a task that was pruned, for 90 days.
CREATE TABLE tombstone (
    number    INTEGER PRIMARY KEY,
    id        BLOB NOT NULL CHECK (length(id) = 16),
    owner     TEXT NOT NULL,
    key       TEXT,
    runtime   TEXT NOT NULL,
    run_id    TEXT,
    status    INTEGER NOT NULL,
    ended_at  INTEGER NOT NULL,
    pruned_at INTEGER NOT NULL
) STRICT;

CREATE INDEX tombstone_id ON tombstone (id);
CREATE INDEX tombstone_key ON tombstone (owner, key) WHERE key IS NOT NULL;
CREATE INDEX tombstone_run ON tombstone (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX tombstone_pruned ON tombstone (pruned_at);

-- The same of a flow.
CREATE TABLE flow_tombstone (
    number    INTEGER PRIMARY KEY,
    id        BLOB NOT NULL CHECK (length(id) = 16),
    owner     TEXT NOT NULL,
    key       TEXT,
    status    INTEGER NOT NULL,
    ended_at  INTEGER NOT NULL,
    pruned_at INTEGER NOT NULL
) STRICT;

CREATE INDEX flow_tombstone_id ON flow_tombstone (id);
CREATE INDEX flow_tombstone_key ON flow_tombstone (owner, key) WHERE key IS NOT NULL;
CREATE INDEX flow_tombstone_pruned ON flow_tombstone (pruned_at);

-- Flows. Of one that mirrors a task only the names stand here: the rest is read from the task. `last_event`: the newest
-- event of the ledger when the row was written.
CREATE TABLE flow (
    number     INTEGER PRIMARY KEY,
    id         BLOB NOT NULL CHECK (length(id) = 16),
    owner      TEXT NOT NULL,
    key        TEXT,
    mirrors    BLOB,
    controller TEXT,
    goal       TEXT,
    status     INTEGER CHECK (status BETWEEN 1 AND 8),
    step       TEXT,
    state      TEXT,
    wait       TEXT,
    blocked    TEXT,
    cancel     TEXT,
    created_at INTEGER,
    updated_at INTEGER,
    ended_at   INTEGER,
    revision   INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    origin     TEXT,
    CHECK ((mirrors IS NULL) = (status IS NOT NULL AND goal IS NOT NULL AND created_at IS NOT NULL)),
    CHECK ((status <= 4) = (ended_at IS NULL)),
    CHECK (created_at <= coalesce(ended_at, updated_at) AND coalesce(ended_at, updated_at) <= updated_at)
) STRICT;

CREATE UNIQUE INDEX flow_id ON flow (id);
CREATE UNIQUE INDEX flow_key ON flow (owner, key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX flow_mirrors ON flow (mirrors) WHERE mirrors IS NOT NULL;
CREATE INDEX flow_owner ON flow (owner);
CREATE INDEX flow_going_on ON flow (owner, number) WHERE ended_at IS NULL;
CREATE INDEX flow_ended ON flow (updated_at) WHERE ended_at IS NOT NULL;

-- How many ended tasks there are; active ones are counted from their index. A constraint on `count` would have SQLite keep
-- a copy of every page that a statement touches.
CREATE TABLE tally (
    owner   TEXT NOT NULL,
    runtime TEXT NOT NULL,
    status  INTEGER NOT NULL,
    count   INTEGER,
    PRIMARY KEY (owner, runtime, status)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER tally_insert AFTER INSERT ON task WHEN new.status > 2 BEGIN
    INSERT INTO tally VALUES (new.owner, new.runtime, new.status, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER tally_update AFTER UPDATE OF status ON task WHEN old.status <> new.status BEGIN
    UPDATE tally SET count = count - 1
        WHERE owner = old.owner AND runtime = old.runtime AND status = old.status AND old.status > 2;
    INSERT INTO tally SELECT new.owner, new.runtime, new.status, 1 WHERE new.status > 2
        ON CONFLICT DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER tally_delete AFTER DELETE ON task WHEN old.status > 2 BEGIN
    UPDATE tally SET count = count - 1
        WHERE owner = old.owner AND runtime = old.runtime AND status = old.status;
END;
