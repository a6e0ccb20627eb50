-- Looks for matching jobs, newest first, at a bounded number of them. Arguments: project, environment, service, actor
-- ('' is any), states, kinds (comma lists), how many rows are wanted, id to come after, number to come below.
-- Answers whether there is more to look at, the number to go on below, and rows.
local LOOKED_AT = 4000
local CHUNK = 200

local project, environment, service, actor, wanted = arg(1), arg(2), arg(3), arg(4), tonumber(arg(7))
local below = arg(9)
if arg(8) ~= '' then
  below = redis.call('HGET', job_key(arg(8)), 'number')
  if not below then return { 'unknown' } end
end

local function set_of(list)
  local set, size = {}, 0
  for member in each(list) do set[member], size = true, size + 1 end
  return size > 0 and set or nil
end
local states, kinds = set_of(arg(5)), set_of(arg(6))

local function names(list, name)
  return name == '' or string.find(',' .. list .. ',', ',' .. name .. ',', 1, true)
end

local function matches(id)
  local job = redis.call('HMGET', job_key(id), 'state', 'kind', 'environments', 'services', 'actor')
  return job[1] and (not states or states[job[1]]) and (not kinds or kinds[job[2]]) and names(job[3], environment)
    and names(job[4], service) and (actor == '' or string.find(job[5], actor, 1, true))
end

local function only_unfinished()
  for state in pairs(states or { any = true }) do
    if state == 'any' or ENDED[state] then return false end
  end
  return true
end

local index = only_unfinished() and 'lucity:unfinished' or 'lucity:jobs'
if project ~= '' then index = index .. ':' .. project end
local found, looked_at = {}, 0
while looked_at < LOOKED_AT do
  local limit = below == '' and '+inf' or '(' .. below
  local chunk = redis.call('ZREVRANGEBYSCORE', index, limit, '-inf', 'WITHSCORES', 'LIMIT', 0, CHUNK)
  for position = 1, #chunk, 2 do
    below = chunk[position + 1]
    if matches(chunk[position]) then table.insert(found, row(chunk[position])) end
    if #found == wanted then return { 'end', below, found } end
  end
  looked_at = looked_at + CHUNK
  if #chunk < 2 * CHUNK then return { 'end', below, found } end
end
return { 'more', below, found }
