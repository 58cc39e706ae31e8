-- Puts a staged state in the place of the one before. A script is one step for everybody else: what it does is written to the
-- log of the server as one transaction. It changes nothing before it knows that it can do everything.
-- KEYS: names staged, names live, progress, stagings. ARGV: beginning of staged names, units, names, staging.
local staged, live = KEYS[1], KEYS[2]
local call, pcall = redis.call, redis.pcall

local function pages(set, visit)
  local cursor = '0'
  repeat
    local page = call('SSCAN', set, cursor, 'COUNT', 1000)
    cursor = page[1]
    local refusal = #page[2] > 0 and visit(page[2])
    if refusal then return refusal end
  until cursor == '0'
end

-- How many of these names are keys; a small set comes as one page, and a call takes so many words.
local function held(names)
  local count = 0
  for first = 1, #names, 4000 do
    count = count + call('EXISTS', unpack(names, first, math.min(first + 3999, #names)))
  end
  return count
end

local function staged_of(names)
  local found = {}
  for place = 1, #names do found[place] = ARGV[1] .. names[place] end
  return found
end

if call('HGET', KEYS[3], 'done') ~= ARGV[2] then return {'unfinished', ''} end
local names = call('SCARD', staged)
if names ~= tonumber(ARGV[3]) then return {'miscounted', tostring(names)} end
-- Where nothing else is, nothing can be in the way: if one of ours were lost and a stranger had its place, the first question tells.
local is_alone = call('DBSIZE') == names + call('EXISTS', staged, KEYS[3], KEYS[4]) and call('EXISTS', live) == 0
local refusal = pages(staged, function(page)
  if held(staged_of(page)) < #page then
    for _, name in ipairs(page) do
      if call('EXISTS', ARGV[1] .. name) == 0 then return {'lost', name} end
    end
  end
  if not is_alone and held(page) > 0 then
    for _, name in ipairs(page) do
      if call('EXISTS', name) == 1 and call('SISMEMBER', live, name) == 0 then return {'foreign', name} end
    end
  end
end)
if refusal then return refusal end

local removed = 0
pages(live, function(page)
  for _, name in ipairs(page) do
    if call('SISMEMBER', staged, name) == 0 then removed = removed + call('UNLINK', name) end
  end
end)
pages(staged, function(page)
  for place = 1, #page do
    local name = page[place]
    local answer = pcall('RENAME', ARGV[1] .. name, name)
    -- A set that is scanned may show a name twice, and the second time it is no key any more.
    if answer.err and not string.find(answer.err, 'no such key', 1, true) then error(answer.err) end
  end
end)
call('UNLINK', live)
call('RENAME', staged, live)
call('UNLINK', KEYS[3])
call('SREM', KEYS[4], ARGV[4])
return {'switched', tostring(removed)}
