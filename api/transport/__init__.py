"""GraphQL over HTTP, WebSocket and server-sent events, on graphql-core.

Nothing here knows the types of the schema, what a project is, or how Strawberry made them.
"""
