-- oldest: 7

-- Every prefix that this installation has given to keys: those keys are read for good.
CREATE TABLE key_prefixes (
  prefix   TEXT   COLLATE "C" PRIMARY KEY,
  since_ms BIGINT NOT NULL
);
