-- oldest: 1
-- What nodes that share this database tell each other.

-- epoch is another one after a restored backup or a move: nodes then load everything anew. pruned_to is the newest revision that is
-- no longer in the change log. moving names the source while a move into this database is not complete.
CREATE TABLE cluster (
  one                 BIGINT           PRIMARY KEY CHECK (one = 1),
  epoch               TEXT COLLATE "C" NOT NULL,
  pruned_to           BIGINT           NOT NULL,
  moving              TEXT COLLATE "C" NOT NULL DEFAULT ''
);
INSERT INTO cluster (one, epoch, pruned_to) VALUES (1, gen_random_uuid()::text, 0);

-- The change log: which objects the transaction that ends with the event "revision" has touched. Rows are appended under the
-- writers' lock, so that no lower revision ever becomes visible after a higher one.
CREATE TABLE changes (
  revision            BIGINT           NOT NULL,
  position            BIGINT           NOT NULL,
  kind                TEXT COLLATE "C" NOT NULL,
  workspace_id        TEXT COLLATE "C" NOT NULL,
  object_id           TEXT COLLATE "C" NOT NULL,
  created_ms          BIGINT           NOT NULL,
  PRIMARY KEY (revision, position)
);

-- The nodes. Times are the database's. applied is the revision up to which a node has everything, -1 before it has loaded.
CREATE TABLE nodes (
  id                  TEXT COLLATE "C" PRIMARY KEY,
  address             TEXT COLLATE "C" NOT NULL,
  version             TEXT COLLATE "C" NOT NULL,
  state               TEXT COLLATE "C" NOT NULL,
  applied             BIGINT           NOT NULL,
  limit_ms            BIGINT           NOT NULL,
  skew_ms             BIGINT           NOT NULL,
  started_ms          BIGINT           NOT NULL,
  seen_ms             BIGINT           NOT NULL
);
