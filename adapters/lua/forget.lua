-- Arguments: project, whether all of it, environments.
local project, all = arg(1), arg(2) == '1'
local status, rollouts = 'lucity:status:' .. project, 'lucity:rollouts:' .. project
local gone = {}
for position = 3, #ARGV - 5 do gone[arg(position)] = true end

if all then
  redis.call('DEL', status, rollouts, rollouts .. ':written', 'lucity:requests:' .. project,
    'lucity:followed:' .. project)
  redis.call('HDEL', 'lucity:heads', project)
else
  for environment in pairs(gone) do redis.call('HDEL', status, environment) end
  for _, field in ipairs(redis.call('HKEYS', rollouts)) do
    if gone[string.match(field, '^[^:]+')] then
      redis.call('HDEL', rollouts, field)
      redis.call('ZREM', rollouts .. ':written', field)
    end
  end
end
local reserved = redis.call('HGETALL', NAMESPACES)
for position = 1, #reserved, 2 do
  local holder, environment = string.match(reserved[position + 1], '^([^/]+)/(.+)$')
  if holder == project and (all or gone[environment]) then release_namespace(reserved[position]) end
end
return 1
