-- Arguments: lane, claim id, job ids. Answers 'stale', or 'sealed', or 'dropped' and the ids that were cancelled.
local lane = arg(1)
if not claim_is(lane, arg(2)) then return { 'stale' } end
local jobs, dropped = {}, {}
for position = 3, #ARGV - 5 do
  if not redis.call('ZSCORE', 'lucity:claimed:' .. lane, arg(position)) then return { 'stale' } end
  local job = facts(arg(position))
  table.insert(job.cancel_requested == '1' and dropped or jobs, job)
end
if #dropped > 0 then
  local answer = { 'dropped' }
  for _, job in ipairs(dropped) do
    move(job, 'CANCELED')
    table.insert(answer, job.id)
  end
  return answer
end
for _, job in ipairs(jobs) do
  write(job.id, 'sealed_at', text(NOW))
  redis.call('ZADD', 'lucity:sealed:' .. lane, job.number, job.id)
end
return { 'sealed' }
