-- Arguments: job id, milliseconds that logs are kept, most lines kept, then stream and text of each line.
local job, kept = arg(1), arg(2)
local key, epoch = 'lucity:log:' .. job, 'lucity:log-epoch:' .. job
local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
local sequence = last and tonumber(string.match(last[1], '^%d+')) or 0
redis.call('SET', epoch, NEW_EPOCH, 'NX')
for position = 4, #ARGV - 5, 2 do
  sequence = sequence + 1
  redis.call('XADD', key, 'MAXLEN', '~', arg(3), text(sequence) .. '-0', 'at', text(NOW), 'stream', arg(position), 'text',
    arg(position + 1))
end
redis.call('PEXPIRE', key, kept)
redis.call('PEXPIRE', epoch, kept)
redis.call('PUBLISH', 'lucity:logs', job)
return 1
