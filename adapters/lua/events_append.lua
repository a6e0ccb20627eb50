-- Arguments, five each: kind, project, environment, head ('' is the project's), data. One event for each.
for position = 1, #ARGV - 5, 5 do
  local head = arg(position + 3)
  if head == '' then head = project_head(arg(position + 1)) end
  append_event(arg(position), arg(position + 1), arg(position + 2), head, arg(position + 4))
end
return 1
