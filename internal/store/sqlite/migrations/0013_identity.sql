-- Marks the file as a database of Keyward ("KWRD"), so that no other program's is taken for one.
PRAGMA application_id = 1264013892;

-- Every prefix that this installation has given to keys: those keys are read for good.
CREATE TABLE key_prefixes (
  prefix   TEXT    PRIMARY KEY,
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
