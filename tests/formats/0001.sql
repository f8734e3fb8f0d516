PRAGMA application_id = 1650945124;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('clock','{"wall":1795834421481,"boot":"bed0106a-48b0-4f98-b58b-e5b4f08879be","uptime":3567659}');
INSERT INTO meta VALUES('min_reader',1);
INSERT INTO meta VALUES('min_writer',1);
INSERT INTO meta VALUES('pruned_flow',0);
INSERT INTO meta VALUES('pruned_number',1);
INSERT INTO meta VALUES('pruned_seq',3);
INSERT INTO meta VALUES('pruned_seq/local',3);
INSERT INTO meta VALUES('swept_at',1795834421481);
CREATE TABLE config (
    key      TEXT NOT NULL PRIMARY KEY,
    value    TEXT,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO config VALUES('retention.cron','720h',1);
INSERT INTO config VALUES('subscriber.log','{}',2);
CREATE TABLE host (
    id            INTEGER PRIMARY KEY,
    machine       TEXT,
    boot          TEXT,
    pid_namespace INTEGER
) STRICT;
INSERT INTO host VALUES(1,'3d1219c7c4c5404aaa1f6d2a48adfda4','bed0106a-48b0-4f98-b58b-e5b4f08879be',4026531836);
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
INSERT INTO task VALUES(2,X'01a22012a151710a84133ae7c7031d75','local',NULL,'subagent',NULL,NULL,'running',NULL,2,2,0,1,1,6,1795834421585,1795834421585,NULL,1795834421607,1795834421585,1795834421607,1795834421607,3600000,1795838021607,1,7167786,1,5174,356367,'92b581488cb0813c',NULL,NULL,NULL,NULL,NULL,'chat',NULL,NULL,NULL,NULL,NULL,X'01a22012a150729696e38741ed477109',NULL,'done_only',NULL,NULL,NULL,NULL,NULL,NULL,'{"text":"half","current":1,"total":2,"unit":null}','{"all":{"tokens_in":4,"tokens_out":0,"tokens_cached":0,"cost":{},"tool_calls":0}}',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO task VALUES(3,X'01a22012a16872ca9d596a6638337a3e','alice',NULL,'subagent',NULL,NULL,'failed','{"n":1.50}',4,2,1,1,0,9,1795834421608,1795834421608,1795834421649,1795834421649,1795834421608,NULL,NULL,NULL,NULL,NULL,NULL,1,5174,356367,'92b581488cb0813c',NULL,NULL,NULL,NULL,'r2',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'done_only',NULL,'exit_code',NULL,3,NULL,NULL,NULL,NULL,NULL,'{"type":null,"message":"no","detail":null}',NULL,NULL,'{"a":  [1]}',NULL,NULL);
INSERT INTO task VALUES(4,X'01a22012a1937f868439c63db60e0f73','local',NULL,'subagent',NULL,NULL,'cancelled',NULL,6,2,1,0,0,12,1795834421651,NULL,1795834421652,1795834421652,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,X'01a22012a151710a84133ae7c7031d75',X'01a22012a151710a84133ae7c7031d75',X'01a22012a150729696e38741ed477109',NULL,'state_changes',NULL,'requested',NULL,NULL,NULL,'{"requested_at":"2026-11-28T02:53:41.652Z","by":null,"why":"enough","told_at":null}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO task VALUES(5,X'01a22012a1957eba8e6dc98472082772','local',NULL,'subagent',3600000,7200000,'lost 🦀',NULL,7,2,1,1,0,15,1795834421653,1795834421653,1795834421766,1795834421766,1795834421653,NULL,NULL,NULL,NULL,NULL,NULL,1,5174,356367,'92b581488cb0813c',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'done_only',NULL,'reported',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,replace('do\nthis','\n',char(10)),NULL);
CREATE TABLE event (
    seq  INTEGER PRIMARY KEY,
    task INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    data TEXT
) STRICT;
INSERT INTO event VALUES(4,2,0,1795834421585,1,'{"notify":"done_only","checksum":"5d4f62046b9d07b5"}');
INSERT INTO event VALUES(5,2,4,1795834421585,2,'{"attempt":1,"executor":{"machine":"3d1219c7c4c5404aaa1f6d2a48adfda4","boot":"bed0106a-48b0-4f98-b58b-e5b4f08879be","pid_namespace":4026531836,"pid":5174,"started":356367,"nonce":"92b581488cb0813c","group":null},"lease":3600000,"lease_clock":{"boot":"bed0106a-48b0-4f98-b58b-e5b4f08879be","expires":7167763}}');
INSERT INTO event VALUES(6,2,5,1795834421607,3,'{"text":"half","current":1,"total":2,"usage":{"tokens_in":4,"tokens_out":0,"tokens_cached":0,"cost":{},"tool_calls":0}}');
INSERT INTO event VALUES(7,3,0,1795834421608,1,'{"notify":"done_only","checksum":"8f3ecf96c1acd461"}');
INSERT INTO event VALUES(8,3,7,1795834421608,2,'{"attempt":1,"executor":{"machine":"3d1219c7c4c5404aaa1f6d2a48adfda4","boot":"bed0106a-48b0-4f98-b58b-e5b4f08879be","pid_namespace":4026531836,"pid":5174,"started":356367,"nonce":"92b581488cb0813c","group":null}}');
INSERT INTO event VALUES(9,3,8,1795834421649,6,'{"status":"failed","reason":"exit_code","checksum":"6f7d627f1f10fda0"}');
INSERT INTO event VALUES(10,4,0,1795834421651,1,'{"notify":"state_changes","checksum":"ddbab092e86e5e71"}');
INSERT INTO event VALUES(11,4,10,1795834421652,4,'{"why":"enough"}');
INSERT INTO event VALUES(12,4,11,1795834421652,6,'{"status":"cancelled","reason":"requested"}');
INSERT INTO event VALUES(13,5,0,1795834421653,1,'{"notify":"done_only","checksum":"c0d2836e32c73f6b"}');
INSERT INTO event VALUES(14,5,13,1795834421653,2,'{"attempt":1,"executor":{"machine":"3d1219c7c4c5404aaa1f6d2a48adfda4","boot":"bed0106a-48b0-4f98-b58b-e5b4f08879be","pid_namespace":4026531836,"pid":5174,"started":356367,"nonce":"92b581488cb0813c","group":null}}');
INSERT INTO event VALUES(15,5,14,1795834421766,7,'{"status":"lost","reason":"reported","why":"no word"}');
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
INSERT INTO notice VALUES(1,3,'session:gone',6,1,5,0,1795834421480,1795834421583,NULL,NULL,'unclaimed','{"id":"01a22012-a091-78c8-b78b-683e093addd2","owner":"local","message":"#1 pruned: succeeded"}',0);
INSERT INTO notice VALUES(3,9,'owner:alice',6,1,2,1,1795834421649,1795838021768,'a54b74fd0ea3bc9d',NULL,NULL,NULL,1);
INSERT INTO notice VALUES(4,12,'owner:local',6,1,1,0,1795834421652,1795834421652,NULL,NULL,NULL,NULL,0);
INSERT INTO notice VALUES(5,15,'owner:local',7,1,1,0,1795834421766,1795834421766,NULL,NULL,NULL,NULL,0);
CREATE TABLE recipient (
    name       TEXT NOT NULL PRIMARY KEY,
    claimed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO recipient VALUES('owner:alice',1795834421768);
CREATE TABLE acknowledgement (
    code    TEXT NOT NULL,
    subject TEXT NOT NULL,
    until   INTEGER NOT NULL,
    by      TEXT,
    note    TEXT,
    PRIMARY KEY (code, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO acknowledgement VALUES('lost','#5',1893456000000,NULL,NULL);
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
INSERT INTO tombstone VALUES(1,X'01a22012a09178c8b78b683e093addd2','local',NULL,'subagent',NULL,3,1795834421480,1795834421583);
CREATE TABLE flow_tombstone (
    number    INTEGER PRIMARY KEY,
    id        BLOB NOT NULL CHECK (length(id) = 16),
    owner     TEXT NOT NULL,
    key       TEXT,
    status    INTEGER NOT NULL,
    ended_at  INTEGER NOT NULL,
    pruned_at INTEGER NOT NULL
) STRICT;
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
INSERT INTO flow VALUES(1,X'01a22012a150729696e38741ed477109','local',NULL,NULL,'weekly','publish',2,NULL,'{"a": 1}',NULL,NULL,NULL,1795834421584,1795834421584,NULL,1,3,NULL);
INSERT INTO flow VALUES(2,X'01a22012a2077470b3699e76261a5bd6','local',NULL,X'01a22012a1957eba8e6dc98472082772',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,2,15,NULL);
CREATE TABLE tally (
    owner   TEXT NOT NULL,
    runtime TEXT NOT NULL,
    status  INTEGER NOT NULL,
    count   INTEGER,
    PRIMARY KEY (owner, runtime, status)
) STRICT, WITHOUT ROWID;
INSERT INTO tally VALUES('alice','subagent',4,1);
INSERT INTO tally VALUES('local','subagent',3,0);
INSERT INTO tally VALUES('local','subagent',6,1);
INSERT INTO tally VALUES('local','subagent',7,1);
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
CREATE INDEX task_status ON task (status) WHERE status <> 3;
CREATE INDEX task_expiring ON task (created_at + queue_timeout) WHERE status = 1 AND queue_timeout IS NOT NULL;
CREATE INDEX task_owner ON task (owner) WHERE owner <> 'local';
CREATE INDEX task_ended ON task (runtime, kind, status, updated_at) WHERE status > 2;
CREATE INDEX task_times_out_of_order ON task (number)
    WHERE NOT (created_at <= coalesce(started_at, created_at)
           AND coalesce(started_at, created_at) <= coalesce(ended_at, updated_at)
           AND coalesce(ended_at, updated_at) <= updated_at);
CREATE INDEX notice_open ON notice (known, recipient, seq) WHERE state <= 2;
CREATE INDEX notice_dead ON notice (known, recipient) WHERE state = 5;
CREATE INDEX notice_letter ON notice (due_at) WHERE letter IS NOT NULL;
CREATE INDEX tombstone_id ON tombstone (id);
CREATE INDEX tombstone_key ON tombstone (owner, key) WHERE key IS NOT NULL;
CREATE INDEX tombstone_run ON tombstone (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX tombstone_pruned ON tombstone (pruned_at);
CREATE INDEX flow_tombstone_id ON flow_tombstone (id);
CREATE INDEX flow_tombstone_key ON flow_tombstone (owner, key) WHERE key IS NOT NULL;
CREATE INDEX flow_tombstone_pruned ON flow_tombstone (pruned_at);
CREATE UNIQUE INDEX flow_id ON flow (id);
CREATE UNIQUE INDEX flow_key ON flow (owner, key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX flow_mirrors ON flow (mirrors) WHERE mirrors IS NOT NULL;
CREATE INDEX flow_owner ON flow (owner);
CREATE INDEX flow_going_on ON flow (owner, number) WHERE ended_at IS NULL;
CREATE INDEX flow_ended ON flow (updated_at) WHERE ended_at IS NOT NULL;
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
COMMIT;
