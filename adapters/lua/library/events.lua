-- The event log: a stream whose ids are a contiguous sequence of our own.
local EVENTS = 'lucity:events'
local epoch_now = nil

local function events_epoch()
  if not epoch_now then
    epoch_now = redis.call('GET', EVENTS .. ':epoch')
  end
  if not epoch_now then
    redis.call('SET', EVENTS .. ':epoch', NEW_EPOCH)
    epoch_now = NEW_EPOCH
  end
  return epoch_now
end

local function events_sequence()
  return tonumber(redis.call('GET', EVENTS .. ':seq') or '0')
end

-- The sequence of the oldest entry kept; one after the newest when none is.
local function events_first()
  local entry = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)[1]
  return entry and tonumber(string.match(entry[1], '^%d+')) or events_sequence() + 1
end

local function project_head(project)
  return redis.call('HGET', 'lucity:heads', project) or ''
end

local function append_event(kind, project, environment, head, data)
  local epoch = events_epoch()
  local id = text(redis.call('INCR', EVENTS .. ':seq')) .. '-0'
  redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, id, 'epoch', epoch, 'at', text(NOW), 'kind', kind,
    'project', project, 'environment', environment, 'head', head, 'data', data)
end

local function event_time(sequence)
  local entry = redis.call('XRANGE', EVENTS, text(sequence) .. '-0', '+', 'COUNT', 1)[1]
  return tonumber(entry[2][4])
end

-- Forgets what is over the number kept or was written before `cutoff`. Ids are contiguous, so a bisection finds it.
local function trim_events(cutoff)
  redis.call('XTRIM', EVENTS, 'MAXLEN', '=', EVENTS_KEPT)
  local low, high = events_first(), events_sequence() + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if event_time(middle) < cutoff then low = middle + 1 else high = middle end
  end
  redis.call('XTRIM', EVENTS, 'MINID', '=', text(low) .. '-0')
end

-- Lines for a job's log, as { stream, text, … }; the newest `most` are kept. Answers the log's key.
local function append_log(job, most, lines)
  local key = 'lucity:log:' .. job
  local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  local sequence = last and tonumber(string.match(last[1], '^%d+')) or 0
  redis.call('SET', 'lucity:log-epoch:' .. job, NEW_EPOCH, 'NX')
  for position = 1, #lines, 2 do
    sequence = sequence + 1
    redis.call('XADD', key, 'MAXLEN', '~', most, text(sequence) .. '-0', 'at', text(NOW), 'stream', lines[position],
      'text', lines[position + 1])
  end
  redis.call('PUBLISH', 'lucity:logs', job)
  return key
end

-- How long a log is kept, counted from now.
local function keep_log(job, milliseconds)
  redis.call('PEXPIRE', 'lucity:log:' .. job, milliseconds)
  redis.call('PEXPIRE', 'lucity:log-epoch:' .. job, milliseconds)
end
