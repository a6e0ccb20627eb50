-- A claim marks jobs of a lane for one owner until it expires. `lucity:claims` holds every lane that has one, by expiry.
local CLAIMS_BEFORE_POISON = 3
local BUILDS_BEFORE_POISON = 10 -- a build takes minutes, so workers that come and go meet it often

local function claim_key(lane)
  return 'lucity:claim:' .. lane
end

local function claim_lives(lane)
  local expires = redis.call('HGET', claim_key(lane), 'expires')
  return expires and tonumber(expires) > NOW
end

-- Whether claim `id` of the lane is still its holder's.
local function claim_is(lane, id)
  return redis.call('HGET', claim_key(lane), 'id') == id and claim_lives(lane)
end

local function forget_claim(lane)
  redis.call('DEL', claim_key(lane), 'lucity:claimed:' .. lane)
  redis.call('ZREM', 'lucity:claims', lane)
end

local function claimed(lane)
  local jobs = {}
  for _, id in ipairs(redis.call('ZRANGE', 'lucity:claimed:' .. lane, 0, -1)) do table.insert(jobs, facts(id)) end
  return jobs
end

-- Returns what is still marked to its place; sealed jobs stay as they are, unconfirmed.
local function return_jobs(lane)
  for _, job in ipairs(claimed(lane)) do
    if job.sealed_at == '' then move(job, 'QUEUED') end
  end
  forget_claim(lane)
end

-- As return_jobs, for a claim whose owner is gone: `poison` is the problem of a job that this happened to too often.
local function expire_claim(lane, poison)
  local most = string.find(lane, '/build/', 1, true) and BUILDS_BEFORE_POISON or CLAIMS_BEFORE_POISON
  for _, job in ipairs(claimed(lane)) do
    local expired = job.expired_claims + 1
    write(job.id, 'expired_claims', expired)
    if job.sealed_at == '' and expired >= most and job.cancel_requested ~= '1' then
      move(job, 'FAILED', { problem = poison })
    end
  end
  return_jobs(lane)
end

-- Whether a worker that claims now gets something to do. Unconfirmed jobs can be decided only when their push is over.
local function worth_ringing(lane, push_timeout)
  if claim_lives(lane) then return false end
  local sealed = unconfirmed(lane)
  if #sealed == 0 then return #applicable(lane, 1) > 0 end
  for _, job in ipairs(sealed) do
    if tonumber(job.sealed_at) + push_timeout <= NOW then return true end
  end
  return false
end
