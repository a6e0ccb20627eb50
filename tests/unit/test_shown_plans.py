"""What a plan shows of values: all but what looks secret."""

from api.reading.differences import FileDelta, changes_in, text_of
from api.reading.plans import without_secrets

PATH = "environments/staging/values.yaml"
BEFORE = b'a: 1\npassword: "hunter1"\ntoken: "same"\n'
AFTER = b'a: 2\npassword: "hunter2"\ntoken: "same"\nurl: "db://me:hunter2@host"\n'


def test_secrets_are_shown_neither_value_by_value_nor_as_text() -> None:
    shown = without_secrets([FileDelta(PATH, PATH, BEFORE, AFTER)])
    assert "hunter" not in text_of(shown)
    assert [(change.key, change.before, change.after) for change in changes_in(shown)] == [
        ("a", 1, 2),
        ("password", "(redacted 1)", "(redacted 3)"),
        ("url", None, "(redacted 4)"),
    ]


def test_a_file_that_comes_goes_or_cannot_be_read_shows_nothing_secret_either() -> None:
    for before, after in ((None, AFTER), (AFTER, None), (b"password: [hunter1", AFTER), (AFTER, b"- hunter1")):
        shown = without_secrets([FileDelta(PATH, PATH, before, after)])
        assert "hunter" not in text_of(shown)
        assert not any("hunter" in repr(change) for change in changes_in(shown))
