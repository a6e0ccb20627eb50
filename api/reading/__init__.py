"""What the API reads: synchronous functions over ports that answer models, many keys in one go. Knows no GraphQL.

What cannot be told is None (Git cannot be read, Redis is away), never empty.
"""
