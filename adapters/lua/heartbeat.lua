-- Arguments: lane, claim id, lease in milliseconds.
local lane = arg(1)
if not claim_is(lane, arg(2)) then return 0 end
local hard_limit = tonumber(redis.call('HGET', claim_key(lane), 'hard_limit'))
local expires = text(math.min(NOW + tonumber(arg(3)), hard_limit))
redis.call('HSET', claim_key(lane), 'expires', expires)
redis.call('ZADD', 'lucity:claims', expires, lane)
return 1
