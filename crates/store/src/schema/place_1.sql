-- What every place of payloads has: the database with the log, and the folder of each other region. // I10

-- One-of-a-kind values: what shows that keys and folder belong together.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys of payload parts, wrapped by the master key; `wrapped` is NULL once the key was destroyed.
CREATE TABLE data_keys (
    id BLOB PRIMARY KEY,
    scope TEXT NOT NULL,
    wrapped BLOB
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX data_keys_in_use ON data_keys (scope) WHERE wrapped IS NOT NULL;

-- Payload parts: salt and content, sealed together. The entry that commits to one is in the log, at `seq`; where there is
-- none (in another region's folder), the commit failed after its payloads were durable, and nothing names them.
CREATE TABLE payloads (
    id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    part INTEGER NOT NULL,
    data_key BLOB NOT NULL REFERENCES data_keys (id),
    sealed BLOB NOT NULL
) STRICT;
