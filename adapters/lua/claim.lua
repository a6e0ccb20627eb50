-- Arguments: lane, owner, claim id, limit, lease and hard limit in milliseconds, problem of a poison job.
-- Answers nothing, or fence, mode and the rows claimed.
local lane, owner, id, limit = arg(1), arg(2), arg(3), tonumber(arg(4))
local lease, hard = tonumber(arg(5)), tonumber(arg(6))
if claim_lives(lane) then return {} end
expire_claim(lane, arg(7))

local mode, jobs = 'LOOK', unconfirmed(lane)
if #jobs == 0 then mode, jobs = 'APPLY', applicable(lane, limit) end
if #jobs == 0 then return {} end

local fence = redis.call('HINCRBY', 'lucity:fences', lane, 1)
redis.call('HSET', claim_key(lane), 'id', id, 'owner', owner, 'fence', fence, 'expires', text(NOW + lease),
  'hard_limit', text(NOW + hard))
redis.call('ZADD', 'lucity:claims', text(NOW + lease), lane)
for _, job in ipairs(jobs) do
  redis.call('ZADD', 'lucity:claimed:' .. lane, job.number, job.id)
  redis.call('HINCRBY', job_key(job.id), 'attempts', 1)
  if redis.call('HGET', job_key(job.id), 'started_at') == '' then
    redis.call('HSET', job_key(job.id), 'started_at', text(NOW))
  end
  move(job, 'RUNNING')
end
return { fence, mode, rows(jobs) }
