-- Arguments, for each project: its name, the epoch in which the caller read it last, how many jobs the caller knows,
-- and id and revision of each. Answers the epoch now, and for each project its unfinished jobs in order: the id alone
-- where the caller knows it as it is, else its row.
local answer, position = { events_epoch() }, 1

local function known_jobs(start, count, epoch)
  local known = {}
  for offset = start, start + 2 * (count - 1), 2 do known[arg(offset)] = epoch == answer[1] and arg(offset + 1) or nil end
  return known
end

while position <= #ARGV - 5 do
  local project, epoch, count = arg(position), arg(position + 1), tonumber(arg(position + 2))
  local known, jobs = known_jobs(position + 3, count, epoch), {}
  for _, id in ipairs(redis.call('ZRANGE', 'lucity:unfinished:' .. project, 0, -1)) do
    local same = known[id] and known[id] == redis.call('HGET', job_key(id), 'revision')
    table.insert(jobs, same and id or row(id))
  end
  table.insert(answer, jobs)
  position = position + 3 + 2 * count
end
return answer
