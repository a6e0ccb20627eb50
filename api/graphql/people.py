"""Persons as Git knows them."""

from typing import Self

import strawberry

from gitops.changes import Actor
from gitops.commits import Person as GitPerson


@strawberry.type(description="A Git identity.")
class Person:
    """Author, committer or actor."""

    name: str
    email: str

    @classmethod
    def of(cls, model: GitPerson | Actor) -> Self:
        """From a commit or an actor."""
        return cls(name=model.name, email=model.email)
