import pytest

from gitops.access import CHANGE, CLONE, DELETE_PROJECT, READ, WRITE_SECRETS, WRITE_TOKENS, authorize
from gitops.changes import Actor, ActorKind
from gitops.problems import PermissionDenied, Refused

ROBOT = Actor("r", "CI", "ci@example.com", ActorKind.AUTOMATION)
PERSON = Actor("p", "Ann", "ann@example.com")
CLONER = Actor("c", "Argo CD", "argocd@example.com", ActorKind.AUTOMATION, clones="shop")


def test_a_leaked_ci_token_cannot_make_more_tokens() -> None:
    with pytest.raises(Refused) as refused:
        authorize(ROBOT, WRITE_TOKENS, "")
    assert refused.value.problem == PermissionDenied(
        "tokens:write needs a person's token; this one is for automation", WRITE_TOKENS
    )


def test_nor_choose_what_webhooks_are_signed_with() -> None:
    with pytest.raises(Refused) as refused:
        authorize(ROBOT, WRITE_SECRETS, "shop")
    assert refused.value.problem == PermissionDenied(
        "secrets:write on shop needs a person's token; this one is for automation", WRITE_SECRETS
    )


@pytest.mark.parametrize(
    ("actor", "verb"),
    [
        (PERSON, WRITE_SECRETS),
        (ROBOT, CLONE),
        (ROBOT, READ),
        (ROBOT, CHANGE),
        (ROBOT, DELETE_PROJECT),
        (PERSON, WRITE_TOKENS),
    ],
)
def test_everything_else_is_allowed(actor: Actor, verb: str) -> None:
    authorize(actor, verb, "shop")


def test_who_may_clone_one_project_clones_it() -> None:
    authorize(CLONER, CLONE, "shop")


@pytest.mark.parametrize(
    ("verb", "scope"),
    [(CLONE, "other"), (CLONE, ""), *((verb, "shop") for verb in (READ, CHANGE, DELETE_PROJECT)), (WRITE_TOKENS, "")],
)
def test_who_may_clone_one_project_may_do_nothing_else(verb: str, scope: str) -> None:
    with pytest.raises(Refused) as refused:
        authorize(CLONER, verb, scope)
    assert refused.value.problem == PermissionDenied(
        "this token clones the repository of shop and does nothing else", verb
    )
