-- Arguments: epoch and sequence of a cursor ('' and 0: of nowhere), how many. Answers the epoch, the newest sequence,
-- whether the cursor cannot be honoured, and the entries after it.
local epoch, sequence, newest = events_epoch(), tonumber(arg(2)), events_sequence()
local gap = arg(1) ~= epoch or sequence > newest or (sequence < newest and events_first() > sequence + 1)
if gap then return { epoch, text(newest), 1, {} } end
return { epoch, text(newest), 0, redis.call('XRANGE', EVENTS, text(sequence + 1) .. '-0', '+', 'COUNT', arg(3)) }
