-- Arguments: job id, milliseconds that logs are kept, most lines kept, then stream and text of each line.
local lines = {}
for position = 4, #ARGV - 5 do table.insert(lines, arg(position)) end
append_log(arg(1), arg(3), lines)
keep_log(arg(1), arg(2))
return 1
