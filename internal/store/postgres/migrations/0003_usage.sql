-- oldest: 1
-- How often was asked about what, and with which outcome. subject is a key, a workspace, or '' for the installation as a whole;
-- grain is 0 for minutes, 1 for hours, 2 for days; start_ms is where the grain begins. Rows of one time lie together: they are
-- written together, over and over while the time lasts, and removed together when it is long past.
CREATE TABLE usage_counts (
  grain               BIGINT           NOT NULL,
  start_ms            BIGINT           NOT NULL,
  subject             TEXT COLLATE "C" NOT NULL,
  verified            BIGINT           NOT NULL,
  disabled            BIGINT           NOT NULL,
  expired             BIGINT           NOT NULL,
  ip_forbidden        BIGINT           NOT NULL,
  insufficient        BIGINT           NOT NULL,
  rate_limited        BIGINT           NOT NULL,
  quota_exceeded      BIGINT           NOT NULL,
  not_found           BIGINT           NOT NULL,
  malformed           BIGINT           NOT NULL,
  PRIMARY KEY (grain, start_ms, subject)
);
CREATE INDEX usage_counts_subject ON usage_counts (subject, grain, start_ms);

-- Whose counts are to be removed: keys and workspaces that were deleted.
CREATE TABLE usage_gone (
  subject             TEXT COLLATE "C" PRIMARY KEY
);
