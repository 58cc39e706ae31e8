-- Puts a staged state in the place of the one before. A script is one step for everybody else: what it does is written to the
-- log of the server as one transaction. It changes nothing before it knows that it can do everything.
-- KEYS: names staged, names live, progress, stagings. ARGV: beginning of staged names, units, names, staging.
local staged, live = KEYS[1], KEYS[2]

local function each(set, visit)
  local cursor = '0'
  repeat
    local page = redis.call('SSCAN', set, cursor, 'COUNT', 1000)
    cursor = page[1]
    for _, name in ipairs(page[2]) do
      local refusal = visit(name)
      if refusal then return refusal end
    end
  until cursor == '0'
end

if redis.call('HGET', KEYS[3], 'done') ~= ARGV[2] then return {'unfinished', ''} end
local names = redis.call('SCARD', staged)
if names ~= tonumber(ARGV[3]) then return {'miscounted', tostring(names)} end
local refusal = each(staged, function(name)
  if redis.call('EXISTS', ARGV[1] .. name) == 0 then return {'lost', name} end
  if redis.call('EXISTS', name) == 1 and redis.call('SISMEMBER', live, name) == 0 then return {'foreign', name} end
end)
if refusal then return refusal end

local removed = 0
each(live, function(name)
  if redis.call('SISMEMBER', staged, name) == 0 then removed = removed + redis.call('UNLINK', name) end
end)
each(staged, function(name)
  -- A set that is scanned may show a name twice.
  if redis.call('EXISTS', ARGV[1] .. name) == 1 then redis.call('RENAME', ARGV[1] .. name, name) end
end)
redis.call('UNLINK', live)
redis.call('RENAME', staged, live)
redis.call('UNLINK', KEYS[3])
redis.call('SREM', KEYS[4], ARGV[4])
return {'switched', tostring(removed)}
