-- Arguments: project, whether this is the first sight, old head ('' is none), new head, kind of the events, and the data of each.
-- Answers 0 when the head is not `old`.
local project, old, new = arg(1), arg(3), arg(4)
local present = redis.call('HGET', 'lucity:heads', project)
if arg(2) == '1' then
  if present then return 0 end
elseif (present or '') ~= old then
  return 0
end
redis.call('HSET', 'lucity:heads', project, new)
for position = 6, #ARGV - 5 do append_event(arg(5), project, '', new, arg(position)) end
return 1
