-- Idempotency → bounds → record → queue → event. Arguments: id, fingerprint, project, lane, bytes, namespaces
-- (name=environment,…), most jobs, most bytes; then the job's fields and values.
local id, fingerprint, project, lane, bytes, namespaces = arg(1), arg(2), arg(3), arg(4), tonumber(arg(5)), arg(6)

local present = redis.call('HGET', job_key(id), 'fingerprint')
if present then
  return present == fingerprint and { 'present', row(id) } or { 'key_reused' }
end
for name, environment in pairs_asked(namespaces) do
  local holder = redis.call('HGET', NAMESPACES, name)
  if holder and holder ~= project .. '/' .. environment then return { 'namespace', name, holder } end
end
local unfinished = redis.call('ZCARD', 'lucity:unfinished:' .. project)
local queued_bytes = tonumber(redis.call('HGET', 'lucity:bytes', project) or '0')
if unfinished >= tonumber(arg(7)) or queued_bytes + bytes > tonumber(arg(8)) then
  return { 'full', unfinished, queued_bytes }
end

local number = redis.call('INCR', 'lucity:number')
redis.call('HSET', job_key(id), 'number', number, 'fingerprint', fingerprint, 'project', project, 'lane', lane,
  'bytes', bytes, 'namespaces', namespaces, 'revision', 1)
for position = 9, #ARGV - 5, 2 do redis.call('HSET', job_key(id), arg(position), arg(position + 1)) end
for _, key in ipairs({ 'lucity:jobs', 'lucity:jobs:' .. project, 'lucity:unfinished', 'lucity:unfinished:' .. project }) do
  redis.call('ZADD', key, number, id)
end
redis.call('HINCRBY', 'lucity:bytes', project, bytes)
reserve_namespaces(project, namespaces)
local job = facts(id)
enqueue(job)
job_event(job)
return { 'admitted', number }
