-- Reads the epoch and Redis's clock at one instant, so that the age of the epoch is by the clock that it has begun by.
-- KEYS[1] the epoch   Answers  { the epoch, '' for none; Unix seconds }
return { redis.call('GET', KEYS[1]) or '', redis.call('TIME')[1] }
