-- Arguments: id, state, HTTP status, error, milliseconds until a PENDING one is due again.
local id, state = arg(1), arg(2)
local key = 'lucity:outbound:message:' .. id
if redis.call('EXISTS', key) == 0 then return 0 end
redis.call('HSET', key, 'state', state, 'status', arg(3), 'error', arg(4))
if state == 'PENDING' then
  local due = text(NOW + tonumber(arg(5)))
  redis.call('HSET', key, 'next_at', due)
  redis.call('ZADD', 'lucity:outbound:due', due, id)
else
  redis.call('HSET', key, 'next_at', '', 'finished_at', text(NOW))
  redis.call('ZREM', 'lucity:outbound:due', id)
end
return 1
