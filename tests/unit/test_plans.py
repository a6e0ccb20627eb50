"""What a plan says, what its token stands for, and what it hides."""

from dataclasses import replace

import pytest

from gitops.operations import (
    CreateEnvironment,
    Deploy,
    Promote,
    RemoveService,
    Rollback,
    ServiceImage,
    SetVariables,
    UpdateService,
    VariableSetting,
)
from gitops.operations.rollbacks import RollbackScope
from gitops.plans import Plannable, check_plan, plan, token_of
from gitops.problems import PlanStale, Refused
from gitops.redactions import Redaction
from gitops.tree import Files
from tests.support.shop import CONTEXT, RUNNING, SHOP

THEN = "a" * 40
PROMOTE = Promote("shop", "development", "staging")
SECRETS = """\
kind: Deployment
spec:
  secretName: shown
  password: hunter2
  env:
    - {name: PLAIN, value: one}
    - {name: OTHER, value: one}
    - {name: KEY, valueFrom: {secretKeyRef: {name: shown, key: token}}}
    - {name: URL, value: "postgres://me:hunter2@db"}
  args: ["--at", "https://me:hunter2@host/x", "--db-password=hunter2", "--api-token", "hunter2", "--shown"]
---
kind: Secret
data: {a: aHVudGVyMg==}
stringData: {b: hunter2}
---
kind: ConfigMap
metadata: {annotations: {checksum/variables: hunter2}}
data: {c: hunter2}
"""


def after(tree: Files, *changes: RemoveService | Deploy | SetVariables | UpdateService | CreateEnvironment) -> Files:
    for change in changes:
        tree = tree.with_writes(change.apply(tree, CONTEXT).writes)
    return tree


def test_a_plan_is_what_the_change_does() -> None:
    made = plan(PROMOTE, RUNNING, CONTEXT)
    assert made.draft == PROMOTE.apply(RUNNING, CONTEXT)
    assert [(item.service, item.before, item.after.tag) for item in made.items] == [
        ("api", None, "1"),
        ("web", None, "2"),
    ]


def test_a_plan_warns_of_what_the_target_lacks_and_of_nothing_to_do() -> None:
    tree = after(RUNNING, SetVariables("shop", "development", "api", (VariableSetting("A", "x"),)))
    assert plan(replace(PROMOTE, names=("api",)), tree, CONTEXT).warnings == (
        "api does not run in staging yet",
        "api has variables in development that staging lacks: A",
    )
    along = plan(replace(PROMOTE, names=("api",), include=("variables",)), tree, CONTEXT)
    assert along.warnings == ("api does not run in staging yet",)
    tree = tree.with_writes(PROMOTE.apply(tree, CONTEXT).writes)
    assert "nothing to do: staging already is as asked" in plan(PROMOTE, tree, CONTEXT).warnings


def test_a_plan_warns_of_services_that_come_back_into_the_values_alone() -> None:
    tree = after(RUNNING, RemoveService("shop", "web"))
    context = replace(CONTEXT, at={THEN: RUNNING}.get)
    whole = Rollback("shop", "development", THEN, scope=RollbackScope.ENVIRONMENT)
    assert plan(whole, tree, context).warnings == (
        "web is no service of the project any more: what development says of it runs nothing",
    )
    assert "web" not in "".join(plan(replace(whole, scope=RollbackScope.IMAGE), tree, context).warnings)


@pytest.mark.parametrize(
    "change",
    [
        Deploy("shop", "development", (ServiceImage("api", "9"),)),
        SetVariables("shop", "staging", None, (VariableSetting("A", "x"),)),
        UpdateService("shop", "web", port=9),
    ],
    ids=["source", "target", "base"],
)
def test_a_change_of_what_a_plan_depends_on_makes_it_stale(change: Deploy | SetVariables | UpdateService) -> None:
    planned = replace(PROMOTE, plan_token=token_of(PROMOTE, RUNNING))
    check_plan(planned, RUNNING)
    with pytest.raises(Refused) as refused:
        check_plan(planned, after(RUNNING, change))
    assert isinstance(refused.value.problem, PlanStale)


def test_a_change_elsewhere_does_not() -> None:
    planned = replace(PROMOTE, plan_token=token_of(PROMOTE, RUNNING))
    check_plan(planned, after(RUNNING, CreateEnvironment("shop", "pr-1", "development")))


def test_a_token_is_of_one_input() -> None:
    changes: list[Plannable] = [
        PROMOTE,
        replace(PROMOTE, names=("api",)),
        replace(PROMOTE, include=("x",)),
        replace(PROMOTE, override=True),
        Rollback("shop", "staging", "a" * 40),
        Rollback("shop", "staging", "b" * 40),
    ]
    assert len({token_of(change, SHOP) for change in changes}) == len(changes)
    one, other = (replace(PROMOTE, names=names) for names in (("api", "web"), ("web", "api")))
    assert token_of(one, SHOP) == token_of(other, SHOP)


def test_manifests_hide_values_of_variables_and_secrets_and_show_what_differs() -> None:
    shown = Redaction().manifests(SECRETS)
    assert "hunter2" not in shown
    assert "aHVudGVyMg" not in shown
    assert "one" not in shown
    assert shown.count("(redacted 2)") == 2
    assert "secretName: shown" in shown
    redaction = Redaction()
    same, other = redaction.manifests("password: a"), redaction.manifests("password: b")
    assert same == redaction.manifests("password: a") != other


@pytest.mark.parametrize("part", ["password", "--token", "-a-token", "-eyJabcdefgh", "://a"])
def test_a_long_text_that_names_secrets_and_holds_none_is_shown_at_once(part: str) -> None:
    text = part * 100_000
    assert text in Redaction().manifests(f"a:\n- {text}\n")


@pytest.mark.parametrize("text", ["password: [hunter2", "hunter2: 2026-02-30", f"hunter2: {'9' * 5000}", "[" * 3000])
def test_manifests_that_cannot_be_read_are_not_shown(text: str) -> None:
    assert Redaction().manifests(text) == "# this cannot be read as YAML, so it is not shown\n"


VALUES = """\
# kept
lucity-app:
  variables: {LOG_LEVEL: shown, API_KEY: hunter2, "db-password": 'hunter2'}  # kept too
  services:
    api:
      replicas: 3
      command: [serve, --token, hunter2, --level=shown, --password=hunter2]
      variables:
        DATABASE_URL: postgres://me:hunter2@db/shown
        TOKEN: {secret: named, key: shown}
        TOKEN_SECONDS: 60
        PRIVATE_KEY: |
          hunter2
          hunter2
        AFTER: shown
      hosts: [{host: shown.example.com, tls: {secretName: shown}}]
      credentials:
        user: hunter2
        list: [hunter2, 2]
        on: true
"""
"""What is secret says so with hunter2; the rest stays."""


def test_values_hide_what_looks_secret_and_keep_every_other_character() -> None:
    shown = Redaction().values(VALUES.encode(), "base/values.yaml")
    assert "hunter2" not in shown
    assert shown.count("shown") == VALUES.count("shown") - 1
    told = shown.splitlines()
    assert {line for line in VALUES.splitlines() if "hunter2" not in line} - {*told} == {"        PRIVATE_KEY: |"}
    assert '        PRIVATE_KEY: "(redacted 4)"\n        AFTER: shown\n' in shown
    assert '      command: [serve, --token, "(redacted 1)", --level=shown, "(redacted 2)"]\n' in shown


@pytest.mark.parametrize(
    "line",
    [
        *("DB_PASS: hunter2", "dbPwd: hunter2", "KEY_PASSPHRASE: hunter2", "JWT: hunter2", "SALT: hunter2"),
        *("NPM_AUTH: hunter2", "SIGNING_KEY: hunter2", "aws-access-key: hunter2"),
        'PLAIN: "-----BEGIN EC PRIVATE KEY-----\\nhunter2"',
        "PLAIN: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.hunter2",
        f"PLAIN: ghp_{'x' * 30}hunter2",
        *(
            "PLAIN: sk_live_51Habcdefghijhunter2",
            "PLAIN: xoxb-123456789-hunter2",
            "PLAIN: glpat-aaaaaaaaaaaaaaaahunter2",
        ),
    ],
)
def test_what_is_named_or_formed_like_a_secret_is_hidden(line: str) -> None:
    redaction = Redaction()
    assert "hunter2" not in redaction.values(f"variables:\n  {line}\n".encode(), "x")
    assert "hunter2" not in redaction.manifests(f"annotations:\n  {line}\n")


@pytest.mark.parametrize(
    "line", ["PASSPORT: shown", "AUTHOR: shown", "KEYBOARD: shown", "SORT_KEY: shown", "V: eyJ.shown"]
)
def test_what_only_resembles_a_secret_is_shown(line: str) -> None:
    assert Redaction().values(f"variables:\n  {line}\n".encode(), "x").endswith(f"  {line}\n")


def test_values_of_which_one_secret_differs_differ_by_a_number_only() -> None:
    redaction = Redaction()
    one, same, other = (redaction.values(f"password: {text}\n".encode(), "x") for text in ("a", '"a"', "b"))
    assert (one, other) == ('password: "(redacted 1)"\n', 'password: "(redacted 2)"\n')
    assert same == one
    assert "hunter2" not in redaction.values(b"password: [hunter2", "x")
