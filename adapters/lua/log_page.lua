-- Arguments: job id, epoch and sequence of a cursor ('' and 0: from the start), how many lines. Answers the epoch
-- ('' when there is no log), the sequence to go on from if no entry follows, whether the cursor cannot be honoured (then
-- all that is kept follows that sequence), and the entries after it.
local key = 'lucity:log:' .. arg(1)
local epoch = redis.call('GET', 'lucity:log-epoch:' .. arg(1)) or ''
local sequence = tonumber(arg(3))
local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
local oldest = first and tonumber(string.match(first[1], '^%d+')) or 1
local newest = last and tonumber(string.match(last[1], '^%d+')) or 0
local lost = arg(2) ~= epoch or sequence > newest or oldest > sequence + 1
if arg(2) ~= '' and lost then return { epoch, text(oldest - 1), 1, {} } end
return { epoch, text(newest), 0, redis.call('XRANGE', key, text(sequence + 1) .. '-0', '+', 'COUNT', arg(4)) }
