-- Arguments: outcomes (library/outcomes.lua). Jobs no longer WAITING are left alone.
for _, outcome in ipairs(read_outcomes(1)) do
  local job = facts(outcome.id)
  if job and job.state == 'WAITING' then write_outcome(job, outcome) end
end
return 1
