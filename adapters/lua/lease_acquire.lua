-- Arguments: name, owner, milliseconds.
local key = 'lucity:lease:' .. arg(1)
local holder = redis.call('GET', key)
if holder and holder ~= arg(2) then return 0 end
redis.call('SET', key, arg(2), 'PX', arg(3))
return 1
