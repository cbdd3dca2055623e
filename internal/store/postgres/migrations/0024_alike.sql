-- oldest: 15
-- What every node is to have alike, as fingerprints under the installation's secret: '' where a node of an older release does not say.
-- root_key is of the value of KEYWARD_ROOT_KEY, and root_stored of what the node keeps of it, which the pepper goes into; both are 'none'
-- without the variable. lacks names the pepper that stored digests need and the node does not have.
ALTER TABLE nodes ADD COLUMN root_key TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN root_stored TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN catalogue TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN pepper TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN lacks TEXT COLLATE "C" NOT NULL DEFAULT '';
