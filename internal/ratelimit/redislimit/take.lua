-- One decision on the minute of a key, or of its workspace, or of both together, at Redis's own clock, atomic like every script.
--
-- KEYS[1..n] the buckets of each: a hash of Unix second -> units that count from now on until that second is 60 seconds past
-- KEYS[n+1]  the epoch; not given in a cluster, where it lies on another slot
-- ARGV     1 epoch that the caller knows, in a cluster the replication ids of its primaries   2 n   3 cost
--          and for each of the n   limit, units wanted (at least the cost), seconds ahead in which they may be spent, how many pairs
--          follow, and the pairs: the second of a lease that is settled, the units of it that were not spent
--
-- Answers  { Redis's time in ms, or -1 for another epoch } and for each of the n
--          units granted; units charged now; ms at which nothing charged counts any more, or 0;
--          ms at which the cost fits again, 0 for now, -1 for never
--
-- The cost is granted by all or by none. Whatever is admitted in second s counts until second s+60 has ended: 61 buckets. With 60 of
-- them, N at the end of one second and N at the start of the 61st would pass within 60 seconds. A lease is charged to the last second
-- in which it may be spent.

local t = redis.call('TIME')
local now = tonumber(t[1])
local ms = now * 1000 + math.floor(tonumber(t[2]) / 1000)
local n, cost = tonumber(ARGV[2]), tonumber(ARGV[3])

-- The epoch ends with the replication id of the server that it began on. A replica that was promoted has the epoch's text from its old
-- primary, and may lack the latest charges: its own id says so at once, before any node has had a look at it. In a cluster a server
-- that starts without its data says so, too; one that is flushed does not.
local id = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if KEYS[n + 1] then
  if redis.call('GET', KEYS[n + 1]) ~= ARGV[1] or string.sub(ARGV[1], -40) ~= id then
    return { -1 }
  end
elseif not string.find(ARGV[1], id, 1, true) then
  return { -1 }
end

-- charge adds units to a second, and keeps the hash for as long as they count.
local function charge(part, second, units, ttl)
  redis.call('HINCRBY', part.key, string.format('%d', second), string.format('%d', units))
  redis.call('PEXPIRE', part.key, ttl)
  part.used = part.used + units
  part.buckets[#part.buckets + 1] = { second, units }
end

-- read settles the leases of a part and sums up what counts.
local function read(key, at)
  local part = { key = key, limit = tonumber(ARGV[at]), want = tonumber(ARGV[at + 1]), ahead = tonumber(ARGV[at + 2]),
    used = 0, buckets = {}, after = at + 4 + 2 * tonumber(ARGV[at + 3]) }
  for i = at + 4, part.after - 1, 2 do
    if redis.call('HINCRBY', key, ARGV[i], '-' .. ARGV[i + 1]) <= 0 then
      redis.call('HDEL', key, ARGV[i])
    end
  end
  local gone, back = {}, 0
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local second, units = tonumber(all[i]), tonumber(all[i + 1])
    if second < now - 60 then
      gone[#gone + 1] = all[i]
    elseif second > now + 3 then -- the clock was set back
      gone[#gone + 1] = all[i]
      back = back + units
    else
      part.used = part.used + units
      part.buckets[#part.buckets + 1] = { second, units }
    end
  end
  if #gone > 0 then
    redis.call('HDEL', key, unpack(gone))
  end
  -- What was admitted before the clock was set back was admitted a moment ago: it counts from now on.
  if back > 0 then
    charge(part, now + 2, back, 64000)
  end
  return part
end

local least = math.max(cost, 1)
local parts, at, fits = {}, 4, true
for i = 1, n do
  parts[i] = read(KEYS[i], at)
  at = parts[i].after
  parts[i].over = parts[i].used + least > parts[i].limit
  fits = fits and not parts[i].over
end

local answer = { ms }
for _, p in ipairs(parts) do
  local granted = 0
  if fits and p.want > 0 then
    granted = math.min(p.want, p.limit - p.used)
    charge(p, now + p.ahead, granted, (62 + p.ahead) * 1000)
  end
  table.sort(p.buckets, function(a, b) return a[1] < b[1] end)
  local reset, retry = 0, 0
  if #p.buckets > 0 then
    reset = (p.buckets[#p.buckets][1] + 61) * 1000
  end
  if p.over then
    retry = -1
    local free = p.limit - p.used
    for _, b in ipairs(p.buckets) do
      free = free + b[2]
      if least <= p.limit and free >= least then
        retry = (b[1] + 61) * 1000
        break
      end
    end
  end
  for _, number in ipairs({ granted, p.used, reset, retry }) do
    answer[#answer + 1] = number
  end
end
return answer
