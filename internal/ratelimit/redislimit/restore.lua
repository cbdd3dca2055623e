-- Charges what was admitted without asking, while Redis could not be reached.
-- KEYS[1] the key's buckets   ARGV pairs of (seconds ago, units)
local now = tonumber(redis.call('TIME')[1])
for i = 1, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], string.format('%d', now - tonumber(ARGV[i])), ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], 64000)
return 1
