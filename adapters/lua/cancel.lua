-- Argument: id. Answers what stands in the way, or that it is done, and the job's row.
local job = facts(arg(1))
if not job then return { 'unknown' } end
if ENDED[job.state] then return { 'ended', row(job.id) } end
if job.state == 'WAITING' or job.sealed_at ~= '' then return { 'pushing', row(job.id) } end
write(job.id, 'cancel_requested', '1')
if job.state == 'QUEUED' then move(job, 'CANCELED') end
return { 'done', row(job.id) }
