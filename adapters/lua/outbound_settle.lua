-- Arguments: id, state, HTTP status, error, milliseconds until a PENDING one is due again, the version that was sent,
-- what was told. One that was renewed while it was sent is due again.
local RENEWED = 1000
local id, state = arg(1), arg(2)
local key = 'lucity:outbound:message:' .. id
if redis.call('EXISTS', key) == 0 then return 0 end
local wait = tonumber(arg(5))
if state ~= 'PENDING' and (redis.call('HGET', key, 'version') or '1') ~= arg(6) then
  state, wait = 'PENDING', RENEWED
  redis.call('HSET', key, 'attempts', 0)
end
redis.call('HSET', key, 'state', state, 'status', arg(3), 'error', arg(4), 'told', arg(7))
if state == 'PENDING' then
  local due = text(NOW + wait)
  redis.call('HSET', key, 'next_at', due)
  redis.call('ZADD', 'lucity:outbound:due', due, id)
else
  redis.call('HSET', key, 'next_at', '', 'finished_at', text(NOW))
  redis.call('ZREM', 'lucity:outbound:due', id)
end
return 1
