"""The schema, one file per noun: types made by a thin `of(model)`, queries, mutations, subscriptions. No rules here."""

# First of all: types take enums as they are when they name them.
from api.graphql import enums as enums
