-- Outcomes as arguments, eleven each: id, state, summary, commit, head, no_change, problem, steps, tried, superseded_by, and the
-- problem of the creations that it ends ('' for none of them; '' leaves a field as it is, but for the problem).
local OUTCOME_ARGUMENTS = 11

local function read_outcome(position)
  local outcome = { id = arg(position), state = arg(position + 1), ends = arg(position + 10), changes = {} }
  for offset, name in ipairs({ 'summary', 'commit', 'head', 'no_change', 'problem', 'steps', 'tried', 'superseded_by' }) do
    local value = arg(position + 1 + offset)
    if value ~= '' or name == 'problem' then outcome.changes[name] = value end
  end
  return outcome
end

local function read_outcomes(position)
  local outcomes = {}
  while position < #ARGV - 5 do
    table.insert(outcomes, read_outcome(position))
    position = position + OUTCOME_ARGUMENTS
  end
  return outcomes
end

-- A deletion that landed ends the WAITING creations of what it deletes.
local function end_creations(deletion, problem)
  for _, id in ipairs(redis.call('ZRANGE', 'lucity:waiting:' .. deletion.lane, 0, -1)) do
    local job = facts(id)
    local whole = deletion.kind == 'PROJECT_DELETE' and (job.kind == 'ENVIRONMENT_CREATE' or job.kind == 'PROJECT_CREATE')
    local same = deletion.kind == 'ENVIRONMENT_DELETE' and job.kind == 'ENVIRONMENT_CREATE'
      and job.environment == deletion.environment
    if whole or same then move(job, 'FAILED', { problem = problem }) end
  end
end

local LOG_LINES = 50000
local STEP_LOG_KEPT = '604800000' -- milliseconds; whoever else writes to the log says how long it is kept

-- What the steps say that they did not say before, as lines of the job's log.
local function log_steps(job, steps)
  local before, lines = {}, {}
  local known = redis.call('HGET', job_key(job.id), 'steps')
  for _, step in ipairs(known and known ~= '' and cjson.decode(known) or {}) do before[step.name] = step.message end
  for _, step in ipairs(cjson.decode(steps)) do
    if type(step.message) == 'string' and step.message ~= before[step.name] then
      table.insert(lines, 'step')
      table.insert(lines, step.name .. ': ' .. step.message)
    end
  end
  if #lines > 0 and redis.call('PTTL', append_log(job.id, LOG_LINES, lines)) < 0 then keep_log(job.id, STEP_LOG_KEPT) end
end

local function write_outcome(job, outcome)
  if outcome.changes.steps then log_steps(job, outcome.changes.steps) end
  if outcome.ends ~= '' and (outcome.state == 'WAITING' or outcome.state == 'SUCCEEDED') then
    end_creations(job, outcome.ends)
  end
  move(job, outcome.state, outcome.changes)
end
