"""Where secrets are kept, as settings say it: whole, or a sentence that names what is wrong."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.kubernetes_secrets import object_name, own_namespace
from adapters.settings import Settings


def complaint(settings: dict[str, str]) -> str:
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(settings)
    return str(raised.value)


def test_without_settings_secrets_are_files() -> None:
    assert Settings().secrets == "files"


@pytest.mark.parametrize(
    "more", [{"kubeconfig": "in-cluster"}, {"kubeconfig": "config", "secrets_namespace": "lucity"}], ids=["pod", "file"]
)
def test_a_whole_set_is_taken(more: dict[str, str]) -> None:
    assert Settings.model_validate({"secrets": "kubernetes", **more}).secrets == "kubernetes"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"secrets": "kubernetes"}, "LUCITY_SECRETS is kubernetes, so LUCITY_KUBECONFIG must be set too"),
        ({"secrets": "kubernetes", "kubeconfig": "config"}, "so LUCITY_SECRETS_NAMESPACE must be set"),
        (
            {"secrets_namespace": "lucity"},
            "LUCITY_SECRETS_NAMESPACE must not be set unless LUCITY_SECRETS is kubernetes",
        ),
        ({"secrets": "kubernetes", "kubeconfig": "config", "secrets_namespace": "a/b"}, "secrets_namespace"),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, str], said: str) -> None:
    assert said in complaint(settings)


def test_the_pods_own_namespace_is_read_from_its_account(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("delivery\n")
    assert own_namespace(tmp_path) == "delivery"
    with pytest.raises(ValueError, match="LUCITY_SECRETS_NAMESPACE is not set"):
        own_namespace(tmp_path / "nowhere")


def test_objects_have_readable_names_that_kubernetes_takes() -> None:
    assert object_name("projects.shop.webhook").startswith("lucity-projects-shop-webhook-")
    assert len({object_name(name) for name in ("a.b", "a-b", "a_b", "a" * 200, "a" * 199)}) == 5
    assert all(len(object_name("a" * length)) <= 63 for length in (1, 200))
