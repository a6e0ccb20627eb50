-- Which jobs of a lane may be claimed now. A WAITING job about an environment holds back the queued jobs that name it,
-- and what queues behind those for any environment they share; everything else passes. A deletion of the project waits
-- for none of them, and takes along, in order, all that is ahead of it in the queue.
local CREATION_YIELDS_AFTER = 5000 -- milliseconds a creation waits before a deletion passes it though nobody tried it

-- What the WAITING jobs hold: `all` environments of the project (or its creation again, while it is `deleting`), environments `held`, environments whose creation `yields` to a deletion.
local function waiting_holds(lane)
  local holds = { all = false, held = {}, yields = {}, yielding = false, passing = 0,
    behind = {}, all_behind = false, delayed = false }
  for _, id in ipairs(redis.call('ZRANGE', 'lucity:waiting:' .. lane, 0, -1)) do
    local job = facts(id)
    if job.kind == 'PROJECT_CREATE' then
      holds.all = true
    elseif job.kind == 'PROJECT_DELETE' then
      holds.deleting = true
    elseif job.kind == 'ENVIRONMENT_DELETE' then
      holds.held[job.environment] = true
    elseif job.kind == 'ENVIRONMENT_CREATE' then
      if job.tried == '1' or NOW - tonumber(job.waiting_at) > CREATION_YIELDS_AFTER then
        holds.yields[job.environment] = 0
        holds.yielding = true
      else
        holds.held[job.environment] = true
      end
    end
  end
  return holds
end

-- A deletion passes the creation that it ends, and so does all of that environment ahead of it, in order. Walking back
-- from the end, what passes takes along the creations of the other environments that it names.
local function let_deletions_pass(queue, holds)
  for position = #queue, 1, -1 do
    local job = facts(queue[position])
    local passes = job.kind == 'ENVIRONMENT_DELETE' and holds.yields[job.environment] ~= nil
    for environment in each(job.environments) do
      if (holds.yields[environment] or 0) >= job.number then passes = true end
    end
    if passes then
      for environment in each(job.environments) do
        local until_now = holds.yields[environment]
        if until_now then holds.yields[environment] = math.max(until_now, job.number) end
      end
    end
  end
end

-- Numbers up to that of a project's deletion pass what WAITING jobs hold, though not each other.
local function let_project_deletions_pass(queue, holds)
  for _, id in ipairs(queue) do
    local kind, number = unpack(redis.call('HMGET', job_key(id), 'kind', 'number'))
    if kind == 'PROJECT_DELETE' then holds.passing = tonumber(number) end
  end
end

local function is_held(job, holds)
  if job.version > VERSION then return true end
  if holds.all_behind or (holds.deleting and job.kind == 'PROJECT_CREATE') then return true end
  if job.kind == 'PROJECT_DELETE' then return holds.delayed end
  for environment in each(job.environments) do
    if holds.behind[environment] then return true end
  end
  if job.number < holds.passing then return false end
  if holds.all and job.environments ~= '' then return true end
  for environment in each(job.environments) do
    if holds.held[environment] then return true end
    if holds.yields[environment] and holds.yields[environment] < job.number then return true end
  end
  return false
end

local function hold_behind(job, holds)
  for environment in each(job.environments) do holds.behind[environment] = true end
  if job.environments == '' and job.version > VERSION then holds.all_behind = true end
  if job.kind == 'PROJECT_CREATE' then holds.all_behind = true end
  if job.version <= VERSION then holds.delayed = true end
end

-- Whether nothing at all may follow this job in one claim; what may not follow it for its environment is held.
local function closes(job, holds)
  if job.kind == 'ENVIRONMENT_CREATE' or job.kind == 'ENVIRONMENT_DELETE' then
    holds.behind[job.environment] = true
  end
  return job.kind == 'PROJECT_CREATE' or job.kind == 'PROJECT_DELETE' or job.expired_claims > 0
end

-- The jobs that were sealed and have no outcome, in order.
local function unconfirmed(lane)
  local jobs = {}
  for _, id in ipairs(redis.call('ZRANGE', 'lucity:sealed:' .. lane, 0, -1)) do
    local job = facts(id)
    if job.version <= VERSION then table.insert(jobs, job) end
  end
  return jobs
end

-- The next jobs in order, at most `limit`; one whose claim expired before comes alone.
local function applicable(lane, limit)
  local queue = redis.call('ZRANGE', 'lucity:queue:' .. lane, 0, -1)
  local holds = waiting_holds(lane)
  if holds.yielding then let_deletions_pass(queue, holds) end
  if redis.call('EXISTS', 'lucity:waiting:' .. lane) == 1 then let_project_deletions_pass(queue, holds) end
  local jobs = {}
  for _, id in ipairs(queue) do
    local job = facts(id)
    if is_held(job, holds) then
      hold_behind(job, holds)
    elseif job.expired_claims > 0 and #jobs > 0 then
      break
    else
      table.insert(jobs, job)
      if closes(job, holds) or #jobs >= limit then break end
    end
  end
  return jobs
end
