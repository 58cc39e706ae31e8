-- Puts a staged state in the place of the one before. A script is one step for everybody else: what it does is written to the
-- log of the server as one transaction. It changes nothing before it knows that it can do everything.
-- KEYS: names staged, names live, progress, stagings. ARGV: beginning of staged names, units, names, staging.
local staged, live = KEYS[1], KEYS[2]

local function pages(set, visit)
  local cursor = '0'
  repeat
    local page = redis.call('SSCAN', set, cursor, 'COUNT', 1000)
    cursor = page[1]
    local refusal = #page[2] > 0 and visit(page[2])
    if refusal then return refusal end
  until cursor == '0'
end

-- How many of these names are keys, in one question; a small set comes as one page, and a call takes so many words.
local function held(names, before)
  local count, asked = 0, {}
  for place, name in ipairs(names) do
    asked[#asked + 1] = before .. name
    if #asked == 4000 or place == #names then
      count = count + redis.call('EXISTS', unpack(asked))
      asked = {}
    end
  end
  return count
end

if redis.call('HGET', KEYS[3], 'done') ~= ARGV[2] then return {'unfinished', ''} end
local names = redis.call('SCARD', staged)
if names ~= tonumber(ARGV[3]) then return {'miscounted', tostring(names)} end
local refusal = pages(staged, function(page)
  if held(page, ARGV[1]) < #page then
    for _, name in ipairs(page) do
      if redis.call('EXISTS', ARGV[1] .. name) == 0 then return {'lost', name} end
    end
  end
  if held(page, '') > 0 then
    for _, name in ipairs(page) do
      if redis.call('EXISTS', name) == 1 and redis.call('SISMEMBER', live, name) == 0 then return {'foreign', name} end
    end
  end
end)
if refusal then return refusal end

local removed = 0
pages(live, function(page)
  for _, name in ipairs(page) do
    if redis.call('SISMEMBER', staged, name) == 0 then removed = removed + redis.call('UNLINK', name) end
  end
end)
pages(staged, function(page)
  for _, name in ipairs(page) do
    local answer = redis.pcall('RENAME', ARGV[1] .. name, name)
    -- A set that is scanned may show a name twice, and the second time it is no key any more.
    if answer.err and not string.find(answer.err, 'no such key', 1, true) then error(answer.err) end
  end
end)
redis.call('UNLINK', live)
redis.call('RENAME', staged, live)
redis.call('UNLINK', KEYS[3])
redis.call('SREM', KEYS[4], ARGV[4])
return {'switched', tostring(removed)}
