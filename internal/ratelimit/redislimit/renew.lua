-- Puts another epoch in place of the one that the caller saw, unless somebody else has done so.
-- Answers as read.lua does.
-- KEYS[1] the epoch   ARGV 1 what the caller saw, '' for none   2 a name nobody else gives   3 the server's replication id
--                     4 '1': memory was lost, as far as the caller knows; else it may be the very first
local now = redis.call('GET', KEYS[1])
local second = redis.call('TIME')[1]
if (now or '') ~= ARGV[1] then
  return { now or '', second }
end
local began = '0'
if ARGV[4] == '1' then
  began = second
end
local new = ARGV[2] .. ' ' .. began .. ' ' .. ARGV[3]
redis.call('SET', KEYS[1], new)
return { new, second }
