-- Argument: id.
local key = 'lucity:outbound:message:' .. arg(1)
if redis.call('EXISTS', key) == 0 then return 0 end
redis.call('HSET', key, 'state', 'PENDING', 'attempts', 0, 'next_at', text(NOW), 'finished_at', '')
redis.call('ZADD', 'lucity:outbound:due', text(NOW), arg(1))
return 1
