-- The latest refusals of each key, in words, without any value. all_of and any_of are the demanded permissions by name. seq tells
-- refusals of one millisecond apart.
CREATE TABLE refusals (
  key_id       TEXT    NOT NULL,
  at_ms        INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  workspace_id TEXT    NOT NULL,
  code         TEXT    NOT NULL,
  why          TEXT    NOT NULL,
  all_of       TEXT    NOT NULL,
  any_of       TEXT    NOT NULL,
  ip           TEXT    NOT NULL,
  is_previous  INTEGER NOT NULL,
  PRIMARY KEY (key_id, at_ms, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX refusals_workspace ON refusals (workspace_id, at_ms, seq);
CREATE INDEX refusals_at ON refusals (at_ms);

-- How many rows there are, so that the bound of the table costs no count of it.
CREATE TABLE refusal_total (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  refusals INTEGER NOT NULL
) STRICT;
INSERT INTO refusal_total VALUES (1, 0);
