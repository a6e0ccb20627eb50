-- The observer works. Argument: for how many milliseconds it heard nothing of the delivery; absent while it never did.
redis.call('SET', 'lucity:alive', text(NOW))
if arg(1) then redis.call('SET', 'lucity:heard', text(NOW - tonumber(arg(1)))) end
return 1
