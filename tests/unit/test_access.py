import pytest

from gitops.access import CHANGE, DELETE_PROJECT, READ, WRITE_TOKENS, authorize
from gitops.changes import Actor, ActorKind
from gitops.problems import PermissionDenied, Refused

ROBOT = Actor("r", "CI", "ci@example.com", ActorKind.AUTOMATION)
PERSON = Actor("p", "Ann", "ann@example.com")


def test_a_leaked_ci_token_cannot_make_more_tokens() -> None:
    with pytest.raises(Refused) as refused:
        authorize(ROBOT, WRITE_TOKENS, "")
    assert refused.value.problem == PermissionDenied(
        "tokens:write needs a person's token; this one is for automation", WRITE_TOKENS
    )


@pytest.mark.parametrize(
    ("actor", "verb"), [(ROBOT, READ), (ROBOT, CHANGE), (ROBOT, DELETE_PROJECT), (PERSON, WRITE_TOKENS)]
)
def test_everything_else_is_allowed(actor: Actor, verb: str) -> None:
    authorize(actor, verb, "shop")
