-- oldest: 15
-- From which network an earlier value of a key was last used within its overlap: /24 of IPv4, /48 of IPv6; '' where no address was told.
ALTER TABLE key_values ADD COLUMN used_from TEXT NOT NULL DEFAULT '';
