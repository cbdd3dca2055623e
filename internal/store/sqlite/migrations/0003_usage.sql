-- How often was asked about what, and with which outcome. subject is a key, a workspace, or '' for the installation as a whole;
-- grain is 0 for minutes, 1 for hours, 2 for days; start_ms is where the grain begins. Rows of one time lie together: they are
-- written together, over and over while the time lasts, and removed together when it is long past.
CREATE TABLE usage_counts (
  grain          INTEGER NOT NULL,
  start_ms       INTEGER NOT NULL,
  subject        TEXT    NOT NULL,
  verified       INTEGER NOT NULL,
  disabled       INTEGER NOT NULL,
  expired        INTEGER NOT NULL,
  ip_forbidden   INTEGER NOT NULL,
  insufficient   INTEGER NOT NULL,
  rate_limited   INTEGER NOT NULL,
  quota_exceeded INTEGER NOT NULL,
  not_found      INTEGER NOT NULL,
  malformed      INTEGER NOT NULL,
  PRIMARY KEY (grain, start_ms, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_counts_subject ON usage_counts (subject, grain, start_ms);

-- Whose counts are to be removed: keys and workspaces that were deleted.
CREATE TABLE usage_gone (
  subject TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
