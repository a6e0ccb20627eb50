"""Whether what the ledger says of a project's jobs and what its repository holds are one story."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.git import git


@dataclass(frozen=True)
class Landed:
    """A commit of main: its SHA, the job that it names ('' for none), its subject."""

    sha: str
    job: str
    subject: str


def history(repository: Path) -> list[Landed]:
    """First-parent commits of a bare repository, oldest first."""
    form = "%H%x00%(trailers:key=Job-Id,valueonly,separator=%x2C)%x00%s"
    lines = git(repository, "log", "--first-parent", "--reverse", f"--format={form}", "main").splitlines()
    return [Landed(*line.split("\0")) for line in lines]


def assert_agreement(repository: Path, jobs: Sequence[Mapping[str, Any]], report: str = "") -> None:
    """Fail unless the jobs, given in the order of admission, all ended; those that SUCCEEDED have exactly one commit,
    in that order, or none and noChange; and all others have none. The repository is whole.
    """
    commits = history(repository)
    places: dict[str, list[int]] = {}
    for place, commit in enumerate(commits):
        if commit.job:
            places.setdefault(commit.job, []).append(place)
    order: list[int] = []
    for job in jobs:
        found = places.pop(job["id"], [])
        if job["state"] == "SUCCEEDED" and not job["noChange"]:
            assert len(found) == 1, f"{job} has {len(found)} commits\n{report}"
            assert job["commit"]["sha"] == commits[found[0]].sha, f"{job}: not its commit\n{report}"
            order += found
        else:
            assert job["state"] in {"SUCCEEDED", "FAILED", "CANCELED"}, f"{job} has not ended\n{report}"
            assert found == [], f"{job}, and yet {commits[found[0]]}\n{report}"
            assert job["commit"] is None, f"{job}\n{report}"
    assert not places, f"commits of jobs that nobody knows: {places}\n{report}"
    assert order == sorted(order), f"not in the order of admission: {[commits[place].subject for place in order]}"
    git(repository, "fsck", "--strict", "--no-dangling")


def assert_last_wins(repository: Path, environment: str, jobs: Iterable[Mapping[str, Any]]) -> None:
    """Fail unless each service runs what the last of these deploys, in the order of admission, asked for."""
    asked = {
        service: job["summary"].rpartition(" ")[2]
        for job in jobs
        if job["state"] == "SUCCEEDED" and job["summary"].startswith(f"deploy({environment}): ")
        for service in job["serviceNames"]
    }
    assert asked
    assert {service: tag for service, tag in tags(repository, environment).items() if service in asked} == asked


def tags(repository: Path, environment: str) -> dict[str, str]:
    """What each service of an environment runs, by Git."""
    text = git(repository, "show", f"main:environments/{environment}/values.yaml")
    services = yaml.safe_load(text)["lucity-app"]["services"]
    return {name: values["image"]["tag"] for name, values in services.items() if "image" in values}
