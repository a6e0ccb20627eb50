-- The observer has just looked.
redis.call('SET', 'lucity:alive', text(NOW))
return 1
