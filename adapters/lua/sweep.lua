-- Arguments: problem of a poison job, milliseconds that ended jobs and events are kept, and that a push takes. Answers the lanes to ring.
local BATCH = 500
local DAY = 24 * 60 * 60 * 1000
local rung = {}

local function ring(lane)
  rung[lane] = true
end

for _, lane in ipairs(redis.call('ZRANGEBYSCORE', 'lucity:claims', '-inf', text(NOW))) do
  expire_claim(lane, arg(1))
  if #unconfirmed(lane) > 0 then ring(lane) end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'lucity:keyed', '-inf', text(NOW - KEYED_DAYS * DAY), 'LIMIT', 0, BATCH)) do
  local ended_at = redis.call('ZSCORE', 'lucity:keyed', id)
  redis.call('ZREM', 'lucity:keyed', id)
  let_go(id, redis.call('HGET', job_key(id), 'project'), ended_at)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'lucity:ended', '-inf', text(NOW - tonumber(arg(2))), 'LIMIT', 0, BATCH)) do
  drop_job(id)
end
trim_events(NOW - tonumber(arg(3)))
for _, lane in ipairs(redis.call('SMEMBERS', 'lucity:lanes')) do
  if worth_ringing(lane, tonumber(arg(4))) then ring(lane) end
end

local lanes = {}
for lane in pairs(rung) do table.insert(lanes, lane) end
table.sort(lanes)
return lanes
