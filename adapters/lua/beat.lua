-- The observer works. Arguments: 1 when the Git host does not answer it, else 0; for how many milliseconds it heard
-- nothing of the delivery, absent while it never did. What an observer said last of the Git host does not outlive it long.
redis.call('SET', 'lucity:alive', text(NOW))
if arg(1) == '1' then redis.call('SET', 'lucity:git-away', '1', 'EX', 30) else redis.call('DEL', 'lucity:git-away') end
if arg(2) then redis.call('SET', 'lucity:heard', text(NOW - tonumber(arg(2)))) end
return 1
