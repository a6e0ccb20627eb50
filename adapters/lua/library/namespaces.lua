-- Which environment a namespace is kept for, so that `a-b`+`c` and `a`+`b-c` cannot both be. A reservation is made by
-- admit; while no job that asked for it has landed, the end of the last such job gives it up again.
local NAMESPACES = 'lucity:namespaces' -- name → <project>/<environment>
local ASKED = 'lucity:namespaces:asked' -- name → number of jobs that asked and neither landed nor ended
local LANDED = 'lucity:namespaces:landed' -- names whose environment was made

local function pairs_asked(list)
  return string.gmatch(list, '([^,=]+)=([^,=]+)')
end

local function reserve_namespaces(project, list)
  for name, environment in pairs_asked(list) do
    redis.call('HSETNX', NAMESPACES, name, project .. '/' .. environment)
    redis.call('HINCRBY', ASKED, name, 1)
  end
end

local function release_namespace(name)
  redis.call('SREM', LANDED, name)
  if not redis.call('HGET', ASKED, name) then redis.call('HDEL', NAMESPACES, name) end
end

-- A job that asked for these has landed, or ended without.
local function settle_namespaces(project, list, landed)
  for name, environment in pairs_asked(list) do
    if redis.call('HINCRBY', ASKED, name, -1) <= 0 then redis.call('HDEL', ASKED, name) end
    if landed then
      redis.call('HSETNX', NAMESPACES, name, project .. '/' .. environment)
      redis.call('SADD', LANDED, name)
    elseif redis.call('SISMEMBER', LANDED, name) == 0 then
      release_namespace(name)
    end
  end
end
