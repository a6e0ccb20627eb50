-- Arguments: name, owner.
local key = 'lucity:lease:' .. arg(1)
if redis.call('GET', key) == arg(2) then redis.call('DEL', key) end
return 1
