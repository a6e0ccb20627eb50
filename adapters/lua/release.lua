-- Arguments: lane, claim id. Answers whether more can be claimed now; a claim that is no longer the caller's is left.
local lane = arg(1)
if claim_is(lane, arg(2)) then return_jobs(lane) end
return worth_ringing(lane, PUSH_TIMEOUT) and 1 or 0
