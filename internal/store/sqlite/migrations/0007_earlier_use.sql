-- When an earlier value of a key was last verified within its overlap: whether anybody still has it.
ALTER TABLE key_values ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0;
