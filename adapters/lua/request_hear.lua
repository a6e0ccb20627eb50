-- Arguments: project, number of the request, when it was updated in milliseconds, whether it is open. Answers 0 for what
-- is older than what was heard, or says at the same moment that what is closed is open.
local key = 'lucity:requests:' .. arg(1)
local heard = redis.call('HGET', key, arg(2))
if heard then
  local at, open = string.match(heard, '^(-?%d+):(%d)$')
  if tonumber(arg(3)) < tonumber(at) then return 0 end
  if tonumber(arg(3)) == tonumber(at) and open == '0' and arg(4) == '1' then return 0 end
end
redis.call('HSET', key, arg(2), arg(3) .. ':' .. arg(4))
return 1
