"""One change from the mutation to the moved ref on the host, against a bare `git push` of a prepared commit to the same
host: as it is, and with a receive hook that sleeps 0.3 s.
"""

import time
from collections.abc import Callable
from pathlib import Path

from adapters.local_git import LocalGitHost
from bench import _support
from bench.admission import deploy
from tests.support.git import Clone, delay_pushes, git
from tests.support.product import Product

ROUNDS = 60
SLOW_ROUNDS = 30
WARM = 3
PUSH = "bare git push"


def main() -> None:
    """Print the figures."""
    with _support.lucity() as product:
        product.found("shop")
        product.found("plain")
        turns = ROUNDS + SLOW_ROUNDS + 2 * WARM
        push = pushes(product.repository("plain"), product.up.data.parent / "clone", turns)
        subjects = {PUSH: push, **changes(product)}
        _support.title("one change, the local host")
        _support.show(_support.in_turns(ROUNDS, subjects, warm=WARM), PUSH)
        for project in ("shop", "plain"):
            delay_pushes(product.repository(project), 0.3)
        _support.title("one change, a host whose hook sleeps 0.3 s (aim: at most 1.3x)")
        _support.show(_support.in_turns(SLOW_ROUNDS, subjects, warm=WARM), PUSH)


def changes(product: Product) -> dict[str, Callable[[], None]]:
    """A deploy, until the host's ref has moved."""
    host = LocalGitHost(product.up.data / "git", product.up.data / "archive")
    ask = deploy(product, keyed=False)

    def change() -> None:
        before = host.heads(["shop"])
        ask()
        while host.heads(["shop"]) == before:
            time.sleep(0.0005)

    return {"deploy mutation until the ref moved": change}


def pushes(repository: Path, folder: Path, turns: int) -> Callable[[], None]:
    """The push alone, of commits of the same kind that were made before."""
    clone = Clone.of(repository, folder)
    values = "environments/development/values.yaml"
    prepared = iter([clone.commit(f"push {turn}", {values: text(turn)}) for turn in range(turns)])

    def push() -> None:
        git(folder, "push", "--quiet", "origin", f"{next(prepared)}:refs/heads/main")

    return push


def text(turn: int) -> str:
    """Values with another tag each time."""
    return f'lucity-app: {{services: {{api: {{image: {{tag: "v{turn}"}}}}}}}}\n'


if __name__ == "__main__":
    main()
