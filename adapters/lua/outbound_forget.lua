-- Argument: endpoint.
local list = 'lucity:outbound:of:' .. arg(1)
for _, id in ipairs(redis.call('ZRANGE', list, 0, -1)) do
  redis.call('DEL', 'lucity:outbound:message:' .. id)
  redis.call('ZREM', 'lucity:outbound:due', id)
end
redis.call('DEL', list)
return 1
