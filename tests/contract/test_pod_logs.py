"""Logs of a service's pods as ports.PodLogs has them: which pods and containers are read, and how much of them."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.kubernetes_api import configuration_by
from adapters.pod_follower import Bounds
from adapters.pod_logs import KubernetesPodLogs
from adapters.ports import PodLine
from tests.support.fake_kubernetes import fake_kubernetes
from tests.support.kubernetes_state import BEGIN, FakeContainer, FakeKubernetes
from tests.support.log_reader import Reader, numbered, tell, until

QUICK = Bounds(linger_seconds=0.2, pause_seconds=0.2)


@pytest.fixture
def fake() -> Iterator[FakeKubernetes]:
    with fake_kubernetes() as running:
        yield running


@pytest.fixture
def logs(fake: FakeKubernetes, tmp_path: Path) -> KubernetesPodLogs:
    return KubernetesPodLogs(partial(configuration_by, fake.kubeconfig(tmp_path)), QUICK)


def test_the_last_lines_come_first_and_then_what_is_written(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    fake.write("api-1", *numbered(10))

    async def story(reader: Reader) -> None:
        reader.begin(tail=3)
        assert await reader.read(3) == ["line 7", "line 8", "line 9"]
        fake.write("api-1", "new")
        assert await reader.read() == ["new"]
        assert reader.lines[-1] == PodLine(BEGIN + timedelta(milliseconds=11), "api-1", "api", "new")

    tell(logs, story)


def test_all_replicas_are_read_and_no_pods_of_others(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    for name in ("api-1", "api-2"):
        fake.add(name)
        fake.write(name, f"of {name}")
    fake.add("web-1", service="web")
    fake.write("web-1", "of web")

    async def story(reader: Reader) -> None:
        reader.begin()
        assert set(await reader.read(2)) == {"of api-1", "of api-2"}
        fake.write("web-1", "again of web")
        fake.write("api-2", "again")
        assert await reader.read() == ["again"]

    tell(logs, story)


def test_a_replacement_is_followed_from_its_first_line(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    fake.write("api-1", *numbered(5))

    async def story(reader: Reader) -> None:
        first = asyncio.ensure_future(reader.begin(tail=0).read())
        await until(lambda: fake.open_logs == 1, "the log to be followed")
        fake.add("api-2", {"api": FakeContainer(started=False)})
        await until(lambda: any(path.endswith("api-2/log") for path, _ in fake.asked), "the new pod to be tried")
        fake.write("api-2", *numbered(200, "new"))
        fake.write("api-1", "going")
        fake.change("api-2", lambda pod: setattr(pod.containers["api"], "started", True))
        fake.remove("api-1")
        texts = [*await first, *await reader.read(200)]
        assert sorted(texts) == sorted(["going", *numbered(200, "new")])
        await until(lambda: fake.open_logs == 1, "the log of the pod that is gone to be closed")

    tell(logs, story)


def test_since_leaves_out_what_is_older_to_the_microsecond(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    fake.write("api-1", *numbered(10))

    async def story(reader: Reader) -> None:
        reader.begin(since=BEGIN + timedelta(milliseconds=7), tail=1000)
        assert await reader.read(4) == ["line 6", "line 7", "line 8", "line 9"]
        assert fake.queries("api-1/log")[0]["sinceTime"] == "2026-01-23T12:00:00Z"

    tell(logs, story)


def test_tail_counts_for_all_containers_of_a_pod_together(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add(
        "api-1", {"init": FakeContainer("initContainer", ended=True), "api": FakeContainer(), "proxy": FakeContainer()}
    )
    fake.write("api-1", *numbered(5, "init"), container="init")
    for number in range(6):
        fake.write("api-1", f"api {number}", container="api")
        fake.write("api-1", f"proxy {number}", container="proxy")

    async def story(reader: Reader) -> None:
        reader.begin(tail=4)
        assert sorted(await reader.read(4)) == ["api 4", "api 5", "proxy 4", "proxy 5"]
        fake.write("api-1", "more", container="proxy")
        assert await reader.read() == ["more"]
        assert {line.container for line in reader.lines} == {"api", "proxy"}

    tell(logs, story)


def test_containers_of_every_kind_are_read(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    kinds = {"init": "initContainer", "api": "container", "debug": "ephemeralContainer"}
    fake.add("api-1", {name: FakeContainer(kind) for name, kind in kinds.items() if name != "debug"})

    async def story(reader: Reader) -> None:
        reader.begin()
        fake.change("api-1", lambda pod: pod.containers.update(debug=FakeContainer("ephemeralContainer")))
        for name in kinds:
            fake.write("api-1", name, container=name)
        assert set(await reader.read(3)) == set(kinds)

    tell(logs, story)


def test_a_restart_goes_on_with_the_new_log_and_leaves_nothing_of_the_old(
    fake: FakeKubernetes, logs: KubernetesPodLogs
) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")

    async def story(reader: Reader) -> None:
        assert await reader.begin().read() == ["one"]
        with fake.lock:
            fake.write("api-1", "cras", end=b"")
            fake.restart("api-1")
            fake.write("api-1", "ended at once")
            fake.restart("api-1")
            fake.write("api-1", "third start")
        assert await reader.read_to("third start") == ["cras", "ended at once", "third start"]

    tell(logs, story)


def test_a_pod_that_is_over_is_read_to_its_end_once(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    fake.write("api-1", *numbered(50))
    fake.write("api-1", "no end", end=b"")
    fake.cuts += [700]

    def end(pod: Any) -> None:
        pod.phase = "Succeeded"
        pod.containers["api"].ended = True

    fake.change("api-1", end)

    async def story(reader: Reader) -> None:
        assert await reader.begin().read(51) == [*numbered(50), "no end"]
        fake.add("api-2")
        fake.write("api-2", "next")
        assert await reader.read() == ["next"]
        assert len(fake.queries("api-1/log")) == 2

    tell(logs, story)


def test_a_long_line_is_cut_and_says_so_and_what_is_no_text_is_replaced(
    fake: FakeKubernetes, logs: KubernetesPodLogs
) -> None:
    fake.add("api-1")
    fake.write("api-1", "x" * 1_000_000, b"caf\xe9 \xff", "après\r", "", "\N{GRINNING FACE}" * 10_000)

    async def story(reader: Reader) -> None:
        long, broken, after, empty, faces = await reader.begin().read(5)
        assert (long[:5], len(long) < 17_000) == ("xxxxx", True)
        assert long.endswith("… [983647 more bytes]")
        assert (broken, after, empty) == ("caf\ufffd \ufffd", "après", "")
        assert "\ufffd" not in faces

    tell(logs, story)


def test_what_the_kubelet_says_itself_is_a_line_of_now(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    fake.pods["api-1"].containers["api"].logs[-1] += b"unable to retrieve container logs for containerd://1\n"

    async def story(reader: Reader) -> None:
        assert await reader.begin().read() == ["unable to retrieve container logs for containerd://1"]
        assert reader.lines[0].at > BEGIN

    tell(logs, story)
