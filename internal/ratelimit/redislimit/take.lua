-- One decision on the minute of one key, at Redis's own clock, atomic like every script.
--
-- KEYS[1]  the key's buckets: a hash of Unix second -> units that count from now on until that second is 60 seconds past
-- KEYS[2]  the epoch; not given in a cluster, where it lies on another slot
-- ARGV     1 epoch that the caller knows   2 limit   3 cost   4 units wanted, at least the cost
--          5 seconds ahead in which they may be spent
--          6, 7, … pairs: the second of a lease that is settled, the units of it that were not spent
--
-- Answers  { units granted, or -1 for another epoch; units charged now; Redis's time in ms;
--            ms at which nothing charged counts any more, or 0; ms at which the cost fits again, 0 for now, -1 for never }
--
-- Whatever is admitted in second s counts until second s+60 has ended: 61 buckets. With 60 of them, N at the end of one second
-- and N at the start of the 61st would pass within 60 seconds. A lease is charged to the last second in which it may be spent.

local t = redis.call('TIME')
local now = tonumber(t[1])
local ms = now * 1000 + math.floor(tonumber(t[2]) / 1000)

-- The epoch ends with the replication id of the server that it began on. A replica that was promoted has the epoch's text from its old
-- primary, and may lack the latest charges: its own id says so at once, before any node has had a look at it.
if KEYS[2] then
  local id = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  if redis.call('GET', KEYS[2]) ~= ARGV[1] or string.sub(ARGV[1], -40) ~= id then
    return { -1, 0, ms, 0, 0 }
  end
end

local limit, cost, want, ahead = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

for i = 6, #ARGV, 2 do
  if redis.call('HINCRBY', KEYS[1], ARGV[i], '-' .. ARGV[i + 1]) <= 0 then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end

local buckets, gone, used, back = {}, {}, 0, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local second, units = tonumber(all[i]), tonumber(all[i + 1])
  if second < now - 60 then
    gone[#gone + 1] = all[i]
  elseif second > now + 3 then -- the clock was set back
    gone[#gone + 1] = all[i]
    back = back + units
  else
    used = used + units
    buckets[#buckets + 1] = { second, units }
  end
end
if #gone > 0 then
  redis.call('HDEL', KEYS[1], unpack(gone))
end

-- What was admitted before the clock was set back was admitted a moment ago: it counts from now on.
if back > 0 then
  redis.call('HINCRBY', KEYS[1], string.format('%d', now + 2), string.format('%d', back))
  redis.call('PEXPIRE', KEYS[1], 64000)
  used = used + back
  buckets[#buckets + 1] = { now + 2, back }
end

local granted = 0
if want > 0 and used + cost <= limit then
  granted = math.min(want, limit - used)
end
if granted > 0 then
  local second = now + ahead
  redis.call('HINCRBY', KEYS[1], string.format('%d', second), string.format('%d', granted))
  redis.call('PEXPIRE', KEYS[1], (62 + ahead) * 1000)
  used = used + granted
  buckets[#buckets + 1] = { second, granted }
end

table.sort(buckets, function(a, b) return a[1] < b[1] end)
local reset, retry = 0, 0
if #buckets > 0 then
  reset = (buckets[#buckets][1] + 61) * 1000
end
local least = math.max(cost, 1)
if granted < cost or used + least > limit and cost == 0 then
  retry = -1
  local free = limit - used
  for _, b in ipairs(buckets) do
    free = free + b[2]
    if least <= limit and free >= least then
      retry = (b[1] + 61) * 1000
      break
    end
  end
end
return { granted, used, ms, reset, retry }
