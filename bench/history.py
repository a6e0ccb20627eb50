"""Pages of the history, warm, against `git log -n 20` with the same filter; building the index; one more commit.

1,000 and 10,000 commits; with --full 100,000 too (aim there: at most 50 ms a page).
"""

from collections.abc import Callable
from pathlib import Path

from adapters.history import SqliteHistory
from adapters.mirrors import Mirrors
from bench import _support
from bench._chronicle import BEGIN, PROJECT, STEP, Chronicle, grow, signed
from gitops.commits import CommitFilter, CommitKind
from tests.support.git import Site, git

SIZES = (1_000, 10_000, 100_000) if _support.FULL else (1_000, 10_000)
PAGE = 20
ROUNDS = 30
GROWTHS = 30


def main() -> None:
    """Print the figures."""
    with _support.folder() as folder:
        site, chronicle = Site.make(folder), Chronicle()
        site.host.create(PROJECT)
        mirrors = site.mirrors()
        for size in SIZES:
            head = grow(site, mirrors, chronicle, size - chronicle.length)
            _support.title(f"history of {size:,} commits")
            history = SqliteHistory(folder / f"history-{size}", mirrors)
            built = _support.seconds(lambda history=history, head=head: first_page(history, head))  # type: ignore[misc]
            print(f"  building the index {built:.2f} s, {built / size * 1e3:.2f} ms a commit", flush=True)
            pages(history, head, site.path(PROJECT), size)
            grown(history, mirrors, chronicle, head)


def first_page(history: SqliteHistory, head: str) -> object:
    """What a project's page shows first."""
    return history.commits(PROJECT, head, CommitFilter(), PAGE, None)


def pages(history: SqliteHistory, head: str, repository: Path, size: int) -> None:
    """Every kind of page; of those that git can answer too, both."""
    early, late = BEGIN + STEP * (size // 100), BEGIN + STEP * (size - size // 100)
    asked: dict[str, tuple[CommitFilter, list[str] | None]] = {
        "no filter": (CommitFilter(), []),
        "kind, a share of 1 in 500": (CommitFilter(kinds=(CommitKind.PROMOTE,)), None),
        "kind, none": (CommitFilter(kinds=(CommitKind.CHART,)), None),
        "environment": (CommitFilter(environment="production"), None),
        "service": (CommitFilter(service="service-03"), None),
        "environment and service": (CommitFilter(environment="production", service="service-03"), None),
        "author, 1 in 30": (CommitFilter(author="person 7"), ["--regexp-ignore-case", "--author=person 7"]),
        "author, 1 in 1,000": (CommitFilter(author="rita"), ["--regexp-ignore-case", "--author=rita"]),
        "text, 1 in 10": (CommitFilter(text="promote"), ["--regexp-ignore-case", "--grep=promote"]),
        "text, none": (CommitFilter(text="nowhere"), ["--regexp-ignore-case", "--grep=nowhere"]),
        "text, a few": (CommitFilter(text="SHOP-4242"), ["--regexp-ignore-case", "--grep=SHOP-4242"]),
        "text and environment, none": (
            CommitFilter(environment="production", text="nowhere"),
            ["--regexp-ignore-case", "--grep=nowhere", "--", "environments/production"],
        ),
        "path, 1 in 40": (CommitFilter(path="base/values.yaml"), ["--", "base/values.yaml"]),
        "path, none": (CommitFilter(path="docs"), ["--", "docs"]),
        "since, the newest 1 %": (CommitFilter(since=late), [f"--since={late.isoformat()}"]),
        "until, the oldest 1 %": (CommitFilter(until=early), [f"--until={early.isoformat()}"]),
        "since and until, none": (CommitFilter(since=late, until=early), None),
    }
    for name, (where, options) in asked.items():
        subjects: dict[str, Callable[[], object]] = {
            name: lambda where=where: history.commits(PROJECT, head, where, PAGE, None)  # type: ignore[misc]
        }
        if options is not None:
            subjects["git log"] = lambda options=options: log(repository, options)  # type: ignore[misc]
        compared(name, subjects)
    middle = history.commits(PROJECT, head, CommitFilter(until=BEGIN + STEP * (size // 2)), 1, None)[0][0].git.sha
    compared("page in the middle", {"": lambda: history.commits(PROJECT, head, CommitFilter(), PAGE, middle)})
    compared("deployments", {"": lambda: history.deployments(PROJECT, head, None, None, PAGE, None)})
    compared(
        "deployments of one service",
        {"": lambda: history.deployments(PROJECT, head, "production", "service-03", PAGE, None)},
    )
    compared("what is deployed now", {"": lambda: history.current(PROJECT, head)})
    compared("newest commits", {"": lambda: history.newest(PROJECT, head)})


def compared(name: str, subjects: dict[str, Callable[[], object]]) -> None:
    """Print one line."""
    ours, *others = _support.in_turns(ROUNDS if len(subjects) == 1 else ROUNDS // 2, subjects, warm=2).values()
    line = f"  {name:28} p50 {_support.median(ours) * 1e3:7.2f}  p99 {_support.percentile(ours, 99) * 1e3:7.2f} ms"
    for other in others:
        theirs = _support.median(other)
        line += f"   git log {theirs * 1e3:8.2f} ms, ratio {_support.median(ours) / theirs:.2f}x"
    print(line, flush=True)


def log(repository: Path, options: list[str]) -> str:
    """The same page by git."""
    return git(repository, "log", f"-n{PAGE}", "--first-parent", "--format=%H %an %ct %s", "main", *options)


def grown(history: SqliteHistory, mirrors: Mirrors, chronicle: Chronicle, head: str) -> None:
    """One more commit, and the first page with it; the commits are never pushed."""
    ahead = Chronicle(chronicle.length)
    ahead.tags = {name: dict(tags) for name, tags in chronicle.tags.items()}
    samples = []
    for entry in ahead.entries(GROWTHS):
        head = mirrors.commit(PROJECT, head, signed(entry))
        samples.append(_support.seconds(lambda head=head: first_page(history, head)))  # type: ignore[misc]
    print(
        f"  {'first page after one more':28} p50 {_support.median(samples) * 1e3:7.2f}"
        f"  p99 {_support.percentile(samples, 99) * 1e3:7.2f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
