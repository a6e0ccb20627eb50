"""docs/operations.md lists the settings as the code has them."""

from pathlib import Path

from adapters.settings import Settings
from cli.settings_table import render

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_documents_table_is_what_the_code_says() -> None:
    """When it is not: put what `lucity settings` prints between the two comments."""
    _, _, rest = DOCUMENT.read_text().partition("<!-- settings: printed by `lucity settings` -->\n\n")
    table, found, _ = rest.partition("\n<!-- /settings -->")
    assert found
    assert table == render()
