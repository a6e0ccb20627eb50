"""The GraphQL schema as text, as `schema.graphql` holds it."""


def export() -> str:
    """Render the schema that the code defines."""
    from api.graphql.schema import render  # noqa: PLC0415 - builds all types

    return render()
