"""Looking back, warm: who wrote a service's lines, against `git blame --first-parent`; an environment as it was.

10,000 commits; with --full 100,000 too (aim there: at most 50 ms each at p99).
"""

from adapters.history import SqliteHistory
from adapters.mirrors import Mirrors
from bench import _support
from bench._chronicle import BEGIN, PROJECT, STEP, Chronicle, grow, signed
from gitops import repository
from gitops.commits import CommitFilter
from gitops.layout import environment_values
from gitops.yamltext import parse
from tests.support.git import Site, git

SIZES = (10_000, 100_000) if _support.FULL else (10_000,)
PATH = environment_values("production")
KEY = ("lucity-app", "services", "service-03")
ROUNDS = 100
GIT_ROUNDS = 3


def main() -> None:
    """Print the figures."""
    with _support.folder() as folder:
        site, chronicle = Site.make(folder), Chronicle()
        site.host.create(PROJECT)
        mirrors = site.mirrors()
        for size in SIZES:
            head = grow(site, mirrors, chronicle, size - chronicle.length)
            _support.title(f"looking back over {size:,} commits")
            looks = Looks(SqliteHistory(folder / f"history-{size}", mirrors), mirrors)
            middle = looks.commit(head, size // 2)
            print(f"  the first blame of a file {_support.seconds(lambda: looks.blame(head)):.2f} s", flush=True)  # noqa: B023
            ours = {
                "blame now": lambda: looks.blame(head),  # noqa: B023
                "blame half-way": lambda: looks.blame(middle),  # noqa: B023
                "as it was, by revision": lambda: looks.view(middle),  # noqa: B023
                "as it was, by time": lambda: looks.view(looks.commit(head, size // 2)),  # noqa: B023
            }
            lines = looks.lines(head)
            asked = ("blame", "--first-parent", f"-L{lines.start},{lines.stop - 1}", head, "--", PATH)
            theirs = {"git blame now": lambda: git(site.path(PROJECT), *asked)}  # noqa: B023
            samples = _support.in_turns(ROUNDS, ours) | _support.in_turns(GIT_ROUNDS, theirs, warm=0)
            samples["blame after one more commit"] = grown(looks, chronicle, head)
            _support.show(samples, "git blame now")


class Looks:
    """What Environment.blame and Environment.at ask."""

    def __init__(self, history: SqliteHistory, mirrors: Mirrors) -> None:
        self.history = history
        self.mirrors = mirrors

    def commit(self, head: str, number: int) -> str:
        """The commit at the time of one."""
        (found,), _ = self.history.commits(PROJECT, head, CommitFilter(until=BEGIN + STEP * number), 1, None)
        return found.git.sha

    def view(self, sha: str) -> object:
        """An environment at a commit."""
        return repository.read(self.mirrors.snapshot(PROJECT, sha)).environment("production")

    def lines(self, sha: str) -> range:
        """Where the service stands."""
        found = parse(self.mirrors.snapshot(PROJECT, sha).read(PATH) or b"", PATH).lines_of(KEY)
        assert found is not None
        return found

    def blame(self, sha: str) -> object:
        """Who wrote them."""
        return self.history.blame(PROJECT, sha, PATH, self.lines(sha))


def grown(looks: Looks, chronicle: Chronicle, head: str) -> list[float]:
    """Commit after commit, and the blame with it; they are never pushed."""
    ahead = Chronicle(chronicle.length)
    ahead.tags = {name: dict(tags) for name, tags in chronicle.tags.items()}
    samples = []
    for entry in ahead.entries(ROUNDS):
        head = looks.mirrors.commit(PROJECT, head, signed(entry))
        samples.append(_support.seconds(lambda: looks.blame(head)))  # noqa: B023 - called at once
    return samples


if __name__ == "__main__":
    main()
