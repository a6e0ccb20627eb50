-- Arguments: most rollouts kept of a project; who must lead the observers ('' for nobody); then six each: kind (STATUS
-- or ROLLOUT), project, environment, commit ('' for STATUS), head ('' is the project's), data.
if arg(2) ~= '' and redis.call('GET', 'lucity:lease:observer') ~= arg(2) then return 0 end
for position = 3, #ARGV - 5, 6 do
  local kind, project, environment, commit = arg(position), arg(position + 1), arg(position + 2), arg(position + 3)
  local head, data = arg(position + 4), arg(position + 5)
  if head == '' then head = project_head(project) end
  if kind == 'STATUS' then
    redis.call('HSET', 'lucity:status:' .. project, environment, data)
  else
    local key, field = 'lucity:rollouts:' .. project, environment .. ':' .. commit
    redis.call('HSET', key, field, data)
    redis.call('ZADD', key .. ':written', text(NOW), field)
    local over = redis.call('ZCARD', key .. ':written') - tonumber(arg(1))
    for _, oldest in ipairs(over > 0 and redis.call('ZPOPMIN', key .. ':written', over) or {}) do
      redis.call('HDEL', key, oldest)
    end
  end
  append_event(kind, project, environment, head, data)
end
return 1
