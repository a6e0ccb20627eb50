"""A client of a running Lucity as a careful CI system is one: every change has an idempotency key, and is sent again
with it for as long as no clear answer comes.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

DEADLINE_SECONDS = 90.0
ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SUPERSEDED"}
JOB = """id state noChange summary serviceNames environmentName attempts
  commit { sha subject } error { __typename message }"""
_PROBLEM = "__typename ... on Problem { message } ... on Conflict { code job { id } }"
_CHUNK = 40


class NoAnswer(Exception):  # noqa: N818 - a state of the line
    """The server was not there, or could not tell what became of a request."""


@dataclass
class Client:
    """Speaks to `url()` with one token; the address may change when the server starts again."""

    url: Callable[[], str]
    token: str
    report: Callable[[], str] = str
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def ask(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """One request; its data. Raises NoAnswer; any other error fails the test."""
        headers = {"Authorization": f"Bearer {self.token}"}
        content = {"query": query, "variables": dict(variables or {})}
        try:
            answer = self._http.post(f"{self.url()}/graphql", json=content, headers=headers)
            body = answer.json()
        except (httpx.TransportError, ValueError) as error:
            raise NoAnswer(str(error)) from error
        for told in body.get("errors", ()):
            if told.get("extensions", {}).get("code") in {"INTERNAL", "UNAVAILABLE"}:
                raise NoAnswer(str(told))
            raise AssertionError(f"{told}\n{self.report()}")
        data: dict[str, Any] = body["data"]
        return data

    def insist(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Ask until there is an answer."""
        return self._until("an answer", lambda: self.ask(query, variables))

    def try_change(self, mutation: str, **given: object) -> dict[str, Any]:
        """Ask once for a change: the job, or the problem. Raises NoAnswer, also for Unavailable."""
        kind = f"{mutation[0].upper()}{mutation[1:]}Input!"
        query = (
            f"mutation ($input: {kind}) {{ result: {mutation}(input: $input) {{ {_PROBLEM} ... on Job {{ {JOB} }} }} }}"
        )
        result: dict[str, Any] = self.ask(query, {"input": given})["result"]
        if result["__typename"] == "Unavailable":
            raise NoAnswer(result["message"])
        return result

    def change(self, mutation: str, **given: object) -> str:
        """Ask for a change until it is accepted; the job's id."""
        keyed = {"idempotencyKey": secrets.token_hex(8), **given}
        result = self._until(f"{mutation} to be accepted", lambda: self.try_change(mutation, **keyed))
        assert result["__typename"] == "Job", result
        return str(result["id"])

    def deploy(self, project: str, service: str, tag: str, environment: str = "development") -> str:
        """Deploy one image; the job's id."""
        services = [{"service": service, "tag": tag}]
        return self.change("deploy", project=project, environment=environment, services=services)

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask for the end of a job: the job, or the problem."""
        query = f"mutation ($id: ID!) {{ result: cancelJob(id: $id) {{ {_PROBLEM} ... on Job {{ {JOB} }} }} }}"
        result: dict[str, Any] = self.insist(query, {"id": job_id})["result"]
        return result

    def job(self, job_id: str) -> dict[str, Any] | None:
        """A job now; None when nobody knows it."""
        found: dict[str, Any] | None = self.insist(f"query ($id: ID!) {{ job(id: $id) {{ {JOB} }} }}", {"id": job_id})[
            "job"
        ]
        return found

    def jobs(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """These jobs now, by id."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), _CHUNK):
            parts = [
                f'j{number}: job(id: "{job_id}") {{ {JOB} }}'
                for number, job_id in enumerate(ids[start : start + _CHUNK])
            ]
            answer = self.insist(f"{{ {' '.join(parts)} }}").values()
            found.update({job["id"]: job for job in answer if job is not None})
        return found

    def ended(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """These jobs once all of them have ended."""
        wanted, ended = list(ids), dict[str, dict[str, Any]]()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while missing := [job_id for job_id in wanted if job_id not in ended]:
            found = self.jobs(missing)
            ended.update({job_id: job for job_id, job in found.items() if job["state"] in ENDED})
            late = {job_id: found.get(job_id) for job_id in missing if job_id not in ended}
            assert not late or time.monotonic() < deadline, f"never ended: {late}\n{self.report()}"
            time.sleep(0.1 if late else 0)
        return {job_id: ended[job_id] for job_id in wanted}

    def succeeded(self, *ids: str) -> list[dict[str, Any]]:
        """These jobs once all of them have ended well."""
        jobs = list(self.ended(ids).values())
        assert all(job["state"] == "SUCCEEDED" for job in jobs), f"{jobs}\n{self.report()}"
        return jobs

    def admitted(self, project: str) -> list[dict[str, Any]]:
        """Every job of a project that the ledger knows, in the order of admission."""
        query = f"""query ($project: String!, $after: String) {{
          jobs(filter: {{project: $project}}, first: 100, after: $after) {{
            nodes {{ {JOB} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
        found: list[dict[str, Any]] = []
        after = None
        while True:
            page = self.insist(query, {"project": project, "after": after})["jobs"]
            found += page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return found[::-1]
            after = page["pageInfo"]["endCursor"]

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _until(self, what: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                return ask()
            except NoAnswer as reason:
                if time.monotonic() > deadline:
                    late = f"waited {DEADLINE_SECONDS} s for {what}: {reason}\n{self.report()}"
                    raise AssertionError(late) from reason
                time.sleep(0.1)
