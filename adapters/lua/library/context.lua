-- What every script is given first, and the clock. Keys begin with `lucity:`; one Redis, no cluster.
local NEW_EPOCH = ARGV[1] -- the log's epoch, should this script be the first to write to it
local EVENTS_KEPT = ARGV[2]
local JOBS_KEPT = tonumber(ARGV[3])
local VERSION = tonumber(ARGV[4]) -- jobs with a newer one are left alone
local PUSH_TIMEOUT = tonumber(ARGV[5]) -- milliseconds

-- The script's own arguments, counted from 1.
local function arg(position)
  return ARGV[position + 5]
end

local function text(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local NOW = time[1] * 1000 + math.floor(time[2] / 1000)

-- The parts of a comma list.
local function each(list)
  return string.gmatch(list, '[^,]+')
end
