-- A job is a hash; `move` is the only way from one state to another, and writes the job's event in the same step.
-- A lane is an ordered queue: the project's name for commits, `<project>/sync` for syncs, `<project>/build/<service>`
-- for builds.
local ENDED = { SUCCEEDED = true, FAILED = true, CANCELED = true, SUPERSEDED = true }
local KEYED_DAYS = 7
local FACTS = { 'kind', 'project', 'lane', 'number', 'environments', 'state', 'sealed_at', 'expired_claims', 'version',
  'cancel_requested', 'tried', 'waiting_at', 'keyed', 'bytes', 'namespaces' }

local function job_key(id)
  return 'lucity:job:' .. id
end

-- What the rules need of a job; absent parts are ''. nil when there is no such job.
local function facts(id)
  local values = redis.call('HMGET', job_key(id), unpack(FACTS))
  if not values[1] then return nil end
  local job = { id = id }
  for position, name in ipairs(FACTS) do job[name] = values[position] or '' end
  job.number, job.expired_claims, job.version = tonumber(job.number), tonumber(job.expired_claims), tonumber(job.version)
  job.environment = string.match(job.environments, '[^,]+') or ''
  return job
end

-- Writes fields of a job; its revision tells readers that it is no longer what they remember.
local function write(id, ...)
  redis.call('HSET', job_key(id), ...)
  redis.call('HINCRBY', job_key(id), 'revision', 1)
end

local function row(id)
  return redis.call('HGETALL', job_key(id))
end

local function rows(jobs)
  local answer = {}
  for position, job in ipairs(jobs) do answer[position] = row(job.id) end
  return answer
end

local function job_event(job)
  local head = redis.call('HGET', job_key(job.id), 'head')
  if not head or head == '' then head = project_head(job.project) end
  append_event('JOB', job.project, job.environment, head, cjson.encode(row(job.id)))
end

local function drop_job(id)
  local project = redis.call('HGET', job_key(id), 'project') or ''
  redis.call('DEL', job_key(id), 'lucity:log:' .. id, 'lucity:log-epoch:' .. id)
  redis.call('ZREM', 'lucity:jobs', id)
  redis.call('ZREM', 'lucity:jobs:' .. project, id)
  redis.call('ZREM', 'lucity:ended', id)
  redis.call('ZREM', 'lucity:ended:' .. project, id)
end

-- Ended jobs over the number kept go, oldest first, a few at a time; those in `lucity:keyed` are too young to go.
local function trim_jobs(project)
  local ended = redis.call('ZCARD', 'lucity:jobs:' .. project) - redis.call('ZCARD', 'lucity:unfinished:' .. project)
  local over = math.min(ended - JOBS_KEPT, 20)
  if over > 0 then
    for _, id in ipairs(redis.call('ZRANGE', 'lucity:ended:' .. project, 0, over - 1)) do drop_job(id) end
  end
end

local function let_go(id, project, ended_at)
  redis.call('ZADD', 'lucity:ended', ended_at, id)
  redis.call('ZADD', 'lucity:ended:' .. project, ended_at, id)
end

local function archive(job)
  redis.call('ZREM', 'lucity:unfinished', job.id)
  redis.call('ZREM', 'lucity:unfinished:' .. job.project, job.id)
  if redis.call('HINCRBY', 'lucity:bytes', job.project, '-' .. job.bytes) <= 0 then
    redis.call('HDEL', 'lucity:bytes', job.project)
  end
  if job.keyed == '1' then redis.call('ZADD', 'lucity:keyed', NOW, job.id) else let_go(job.id, job.project, NOW) end
  trim_jobs(job.project)
end

local function enqueue(job)
  redis.call('ZADD', 'lucity:queue:' .. job.lane, job.number, job.id)
  redis.call('SADD', 'lucity:lanes', job.lane)
end

local function dequeue(job)
  redis.call('ZREM', 'lucity:queue:' .. job.lane, job.id)
  if redis.call('ZCARD', 'lucity:queue:' .. job.lane) == 0 then redis.call('SREM', 'lucity:lanes', job.lane) end
end

local function unmark(job)
  redis.call('ZREM', 'lucity:claimed:' .. job.lane, job.id)
  redis.call('ZREM', 'lucity:sealed:' .. job.lane, job.id)
end

local function settle_reservations(job, landed)
  if job.namespaces ~= '' then
    settle_namespaces(job.project, job.namespaces, landed)
    redis.call('HDEL', job_key(job.id), 'namespaces')
    job.namespaces = ''
  end
end

local function place(job, state)
  if state == 'RUNNING' then return end
  unmark(job)
  if state == 'QUEUED' then enqueue(job) else dequeue(job) end
  if state == 'WAITING' then
    redis.call('ZADD', 'lucity:waiting:' .. job.lane, job.number, job.id)
  else
    redis.call('ZREM', 'lucity:waiting:' .. job.lane, job.id)
  end
  if state ~= 'QUEUED' then settle_reservations(job, state == 'WAITING' or state == 'SUCCEEDED') end
  if ENDED[state] then archive(job) end
end

-- Puts a job into a state: its fields (`changes` are further ones), its place, its times, its event. What was asked to
-- be cancelled does not return to the queue.
local function move(job, state, changes)
  if state == 'QUEUED' and job.cancel_requested == '1' then state = 'CANCELED' end
  local fields = { 'state', state }
  for name, value in pairs(changes or {}) do
    table.insert(fields, name)
    table.insert(fields, value)
  end
  if ENDED[state] then
    table.insert(fields, 'finished_at')
    table.insert(fields, text(NOW))
  elseif state == 'QUEUED' then
    for _, name in ipairs({ 'sealed_at', '', 'waiting_at', '' }) do table.insert(fields, name) end
  elseif state == 'WAITING' and job.waiting_at == '' then
    table.insert(fields, 'waiting_at')
    table.insert(fields, text(NOW))
  end
  write(job.id, unpack(fields))
  place(job, state)
  job.state = state
  job_event(job)
end
