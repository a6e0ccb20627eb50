-- Arguments: lane, claim id, outcomes (library/outcomes.lua). Answers 0 and writes nothing when the claim, or one of
-- the jobs, is not the caller's.
local lane = arg(1)
if not claim_is(lane, arg(2)) then return 0 end
local outcomes = read_outcomes(3)
for _, outcome in ipairs(outcomes) do
  if not redis.call('ZSCORE', 'lucity:claimed:' .. lane, outcome.id) then return 0 end
end
for _, outcome in ipairs(outcomes) do write_outcome(facts(outcome.id), outcome) end
return 1
