"""What forges say and how they say it: GitHub, GitLab, Gitea, and anything that speaks the generic form."""
