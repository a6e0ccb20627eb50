"""The fast way in: Starlette and Strawberry. A resolver parses, calls an operation or admits, and answers a type."""
