-- State rows. `keys` is the JSON of [[key, value], ...]; the MAC covers every column but `row`.
CREATE TABLE rows (
    row INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    keys TEXT NOT NULL,
    body TEXT NOT NULL,
    due_us INTEGER,
    mac BLOB NOT NULL,
    UNIQUE (kind, id)
) STRICT;
CREATE INDEX rows_due_by_kind ON rows (kind, due_us, id) WHERE due_us IS NOT NULL;
CREATE INDEX rows_due ON rows (due_us) WHERE due_us IS NOT NULL;

-- An index over `rows.keys`; what it says is believed only when the row's MAC covers the same.
CREATE TABLE row_keys (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    id TEXT NOT NULL,
    row INTEGER NOT NULL REFERENCES rows (row) ON DELETE CASCADE,
    PRIMARY KEY (kind, key, value, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX row_keys_by_row ON row_keys (row);

-- What gateways are told of.
CREATE TABLE endings (
    revision INTEGER NOT NULL,
    place INTEGER NOT NULL,
    grant_id TEXT NOT NULL,
    cause TEXT NOT NULL,
    PRIMARY KEY (revision, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE kills (
    revision INTEGER NOT NULL,
    place INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    PRIMARY KEY (revision, place)
) STRICT, WITHOUT ROWID;

-- The log: entries, complete nodes of the tree, the newest signed checkpoint.
CREATE TABLE leaves (
    seq INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE nodes (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
