"""Logs of pods from an API that fails in every way, and for readers that come, leave and do not keep up."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from ssl import CERT_REQUIRED

import pytest
import yaml

from adapters.kubernetes_api import configuration_by
from adapters.pod_follower import Bounds
from adapters.pod_logs import KubernetesPodLogs
from adapters.ports import Outpaced, Unreachable
from gitops.problems import RateLimited, Refused, Unavailable
from tests.support.authority import Authority
from tests.support.fake_kubernetes import fake_kubernetes
from tests.support.kubernetes_state import FakeContainer, FakeKubernetes
from tests.support.log_reader import Reader, numbered, tell, until

QUICK = Bounds(linger_seconds=0.2, pause_seconds=0.2)


@pytest.fixture
def fake() -> Iterator[FakeKubernetes]:
    with fake_kubernetes() as running:
        yield running


@pytest.fixture
def logs(fake: FakeKubernetes, tmp_path: Path) -> KubernetesPodLogs:
    return KubernetesPodLogs(partial(configuration_by, fake.kubeconfig(tmp_path)), QUICK)


@pytest.mark.parametrize("cut", [0, 1, 30, 100, 333, 1000])
def test_a_log_that_breaks_off_anywhere_goes_on_without_gap_or_double(
    fake: FakeKubernetes, logs: KubernetesPodLogs, cut: int
) -> None:
    fake.add("api-1")
    fake.write("api-1", *numbered(500))
    fake.cuts += [cut, 3 * cut, 5 * cut]

    async def story(reader: Reader) -> None:
        reader.begin(tail=500)
        assert await reader.read(500) == numbered(500)
        fake.write("api-1", "last")
        assert await reader.read() == ["last"]

    tell(logs, story)


def test_equal_lines_of_one_instant_are_as_many_after_a_cut(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    stamp = b"2026-01-23T12:00:00.000000001+02:00 "
    fake.pods["api-1"].containers["api"].logs[-1] += (stamp + b"same\n") * 20 + b"2026-01-23T10:00:01Z end\n"
    fake.cuts += [len(stamp + b"same\n") * 7 + 3]

    async def story(reader: Reader) -> None:
        assert await reader.begin().read_to("end") == ["same"] * 20 + ["end"]

    tell(logs, story)


def test_lines_of_both_outputs_a_little_out_of_order_are_not_lost(
    fake: FakeKubernetes, logs: KubernetesPodLogs
) -> None:
    fake.add("api-1")
    log = fake.pods["api-1"].containers["api"].logs[-1]
    log += b"2026-01-23T10:00:01.5Z one\n2026-01-23T10:00:02.1Z two\n"
    fake.cuts += [len(log)]

    async def story(reader: Reader) -> None:
        assert await reader.begin().read(2) == ["one", "two"]
        fake.pods["api-1"].containers["api"].logs[-1] += b"2026-01-23T10:00:01.9Z between\n2026-01-23T10:00:03Z end\n"
        assert await reader.read(2) == ["between", "end"]

    tell(logs, story)


def test_nothing_written_after_tail_0_is_missed_when_the_log_breaks_off(
    fake: FakeKubernetes, logs: KubernetesPodLogs
) -> None:
    fake.add("api-1")
    log = fake.pods["api-1"].containers["api"].logs[-1]
    log += b"2020-01-01T00:00:00Z old\n"
    fake.cuts += [0, 0]

    async def story(reader: Reader) -> None:
        first = asyncio.ensure_future(reader.begin(tail=0).read())
        await until(lambda: len(fake.queries("api-1/log")) >= 2, "the log to break off")
        log.extend(b"2099-01-01T00:00:00Z new\n")
        assert await first == ["new"]

    tell(logs, story)


@pytest.mark.parametrize(("code", "times"), [(400, 3), (404, 1), (429, 1), (500, 3), (502, 1), (503, 1)])
def test_a_log_that_cannot_be_had_now_is_asked_for_again(
    fake: FakeKubernetes, logs: KubernetesPodLogs, code: int, times: int
) -> None:
    fake.refuse("/log", *[(code, "not now")] * times)
    fake.add("api-1")
    fake.write("api-1", "there")

    async def story(reader: Reader) -> None:
        assert await reader.begin().read() == ["there"]

    tell(logs, story)


def test_a_version_that_is_too_old_lists_again(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")

    async def story(reader: Reader) -> None:
        assert await reader.begin().read() == ["one"]
        with fake.lock:
            fake.forget_versions()
            fake.remove("api-1")
            fake.add("api-2")
            fake.write("api-2", *numbered(150))
            fake.compacted = fake.version
        assert await reader.read(150) == numbered(150)

    tell(logs, story)


def test_a_watch_that_is_refused_for_a_moment_goes_on(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")

    async def story(reader: Reader) -> None:
        assert await reader.begin().read() == ["one"]
        fake.refuse("/pods", (500, "etcd has no leader"), (503, "starting"), *[(200, "I am a proxy")] * 2)
        fake.epoch += 1
        fake.add("api-2")
        fake.write("api-2", "two")
        assert await reader.read() == ["two"]

    tell(logs, story)


def test_a_log_that_is_silent_is_read_again_from_where_it_was(fake: FakeKubernetes, tmp_path: Path) -> None:
    impatient = Bounds(silence_seconds=0.1, pause_seconds=0.1)
    logs = KubernetesPodLogs(partial(configuration_by, fake.kubeconfig(tmp_path)), impatient)
    fake.add("api-1")
    fake.write("api-1", "one")

    async def story(reader: Reader) -> None:
        assert await reader.begin().read() == ["one"]
        await until(lambda: len(fake.queries("api-1/log")) >= 3, "the log to be read again")
        fake.write("api-1", "two")
        assert await reader.read() == ["two"]

    tell(logs, story)


def test_who_reads_nothing_is_told_so_and_nothing_more_is_read_for_it(fake: FakeKubernetes, tmp_path: Path) -> None:
    bounds = Bounds(waiting=5, patience_seconds=0.1)
    logs = KubernetesPodLogs(partial(configuration_by, fake.kubeconfig(tmp_path)), bounds)
    fake.add("api-1")
    fake.write("api-1", *numbered(2000))

    async def story(reader: Reader) -> None:
        assert await reader.begin(tail=2000).read() == ["line 0"]
        await until(lambda: fake.open_logs == 0, "reading to be given up")
        with pytest.raises(Outpaced) as outpaced:
            await reader.rest()
        assert [line.text for line in reader.lines] == numbered(len(reader.lines))
        assert len(reader.lines) < 20
        assert outpaced.value.at == reader.lines[-1].at

    tell(logs, story)


def test_a_slow_reader_that_reads_gets_all(fake: FakeKubernetes, tmp_path: Path) -> None:
    logs = KubernetesPodLogs(partial(configuration_by, fake.kubeconfig(tmp_path)), Bounds(waiting=2))
    fake.add("api-1")
    fake.write("api-1", *numbered(3000, "x" * 1000))

    async def story(reader: Reader) -> None:
        assert await reader.begin(tail=3000).read(3000) == numbered(3000, "x" * 1000)

    tell(logs, story)


def test_a_reader_that_leaves_leaves_nothing_behind(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    for name in ("api-1", "api-2"):
        fake.add(name)
        fake.write(name, "one")

    async def story(reader: Reader) -> None:
        await reader.begin().read(2)
        await until(lambda: fake.open_logs == 2, "both to be followed")
        await reader.close()
        await until(lambda: fake.open_logs == 0, "both to be left")
        assert len(asyncio.all_tasks()) == 2

    tell(logs, story)


def test_it_ends_when_it_is_told_to(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")

    async def story(reader: Reader) -> None:
        assert await reader.begin().read() == ["one"]
        asyncio.get_running_loop().call_later(0.05, reader.until.set_result, None)
        assert await reader.rest() == []
        await until(lambda: fake.open_logs == 0, "the log to be left")

    tell(logs, story)


def test_no_rights_are_said_with_the_clusters_words(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.add("api-1")
    fake.refuse("/log", (403, 'pods "api-1" is forbidden: cannot get resource "pods/log"'))

    async def story(reader: Reader) -> None:
        with pytest.raises(Refused, match=r'does not let Lucity read logs: .*"pods/log"') as refused:
            await reader.begin().read()
        assert isinstance(refused.value.problem, Unavailable)

    tell(logs, story)


def test_a_token_that_was_replaced_is_read_again(fake: FakeKubernetes, logs: KubernetesPodLogs, tmp_path: Path) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")

    async def story(reader: Reader) -> None:
        assert await reader.begin().read() == ["one"]
        fake.token = "the next one"
        fake.kubeconfig(tmp_path)
        fake.add("api-2")
        fake.write("api-2", "two")
        assert await reader.read() == ["two"]

    tell(logs, story)


def test_a_token_that_counts_no_more_ends_with_a_clear_word(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.token = "another"

    async def story(reader: Reader) -> None:
        with pytest.raises(Refused, match="does not let Lucity read logs: Unauthorized"):
            await reader.begin().read()

    tell(logs, story)


def test_an_answer_that_is_not_the_clusters_is_none(fake: FakeKubernetes, logs: KubernetesPodLogs) -> None:
    fake.refuse("/pods", (200, "I am a proxy"))

    async def story(reader: Reader) -> None:
        with pytest.raises(Unreachable, match="tells of no pods"):
            await reader.begin().read()

    tell(logs, story)


def test_a_cluster_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    config = FakeKubernetes(url="http://127.0.0.1:1").kubeconfig(tmp_path)

    async def story(reader: Reader) -> None:
        with pytest.raises(Unreachable) as away:
            await reader.begin().read()
        assert away.value.component == "cluster"

    tell(KubernetesPodLogs(partial(configuration_by, config), QUICK), story)


def test_more_containers_than_are_followed_is_a_limit(fake: FakeKubernetes, tmp_path: Path) -> None:
    logs = KubernetesPodLogs(partial(configuration_by, fake.kubeconfig(tmp_path)), Bounds(containers=2))
    fake.add("api-1", {name: FakeContainer() for name in "abc"})

    async def story(reader: Reader) -> None:
        with pytest.raises(Refused) as refused:
            await reader.begin().read()
        assert isinstance(refused.value.problem, RateLimited)

    tell(logs, story)


def test_a_client_certificate_is_enough_and_an_unknown_authority_is_not_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    authority.tls.verify_mode = CERT_REQUIRED
    authority.tls.load_verify_locations(authority.pem)
    pair = str(tmp_path / "authority" / "server.pem")

    async def read(reader: Reader) -> None:
        assert await reader.begin().read() == ["one"]

    async def fail(reader: Reader) -> None:
        with pytest.raises(Unreachable):
            await reader.begin().read()

    with fake_kubernetes(authority.tls) as fake:
        fake.token = ""
        fake.add("api-1")
        fake.write("api-1", "one")
        path = Path(fake.kubeconfig(tmp_path))
        config = yaml.safe_load(path.read_text())
        config["users"][0]["user"] = {"client-certificate": pair, "client-key": pair}
        for trusted, story in (({"certificate-authority": str(authority.pem)}, read), ({}, fail)):
            config["clusters"][0]["cluster"] = {"server": fake.url, **trusted}
            path.write_text(yaml.safe_dump(config))
            tell(KubernetesPodLogs(partial(configuration_by, str(path)), QUICK), story)
