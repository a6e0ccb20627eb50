-- Arguments: projects. Answers the rows of each one's unfinished jobs, in order.
local answer = {}
for position = 1, #ARGV - 5 do
  local jobs = {}
  for _, id in ipairs(redis.call('ZRANGE', 'lucity:unfinished:' .. arg(position), 0, -1)) do
    table.insert(jobs, row(id))
  end
  table.insert(answer, jobs)
end
return answer
