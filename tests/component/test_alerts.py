# SPDX-License-Identifier: Apache-2.0
"""Alerts from the file of OSSEC or Wazuh to the manager: each once, whatever happens to file, manager
and agent."""

import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import time

import pytest

from harness import BUILD, DEADLINE, SANITIZER, wait_for, wait_for_seconds

NOW = 1795365577
SANITIZED = "asan" in BUILD.name


def text_of(n, level=12, more="", end="\n"):
    """As OSSEC writes it: the number behind the point is the place in its file."""
    return (f"** Alert {NOW + n // 1000}.{n}: - syslog,sshd,\n"
            "2026 Nov 22 00:00:00 host->/var/log/auth.log\n"
            f"Rule: 5716 (level {level}) -> 'SSHD authentication failed.'\n"
            f"Src IP: 192.0.2.7\nUser: root\nsample {n}\n{more}{end}")


class Writer:
    """Writes alerts as OSSEC does."""

    def __init__(self, directory):
        self.path = directory / "alerts" / "alerts.log"
        self.path.parent.mkdir()
        self.n = 0
        self.file = None

    def open(self, mode="a"):
        if self.file:
            self.file.close()
        self.file = self.path.open(mode)
        return self

    def alerts(self, n, **arguments):
        numbers = list(range(self.n, self.n + n))
        self.n += n
        self.file.write("".join(text_of(i, **arguments) for i in numbers))
        self.file.flush()
        return numbers

    def raw(self, text):
        self.file.write(text)
        self.file.flush()

    def rename(self, name="alerts.log.1"):
        target = self.path.parent / name
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.rename(target)


class Sink:
    """A manager that acknowledges alerts and notes how often each came, and after its ACK."""

    def __init__(self, manager):
        self.manager = manager
        self.seen = {}  # number: how often
        self.acknowledged = set()
        self.after_ack = []
        self.acks = True
        self.others = []
        manager.on_message = self.on_message

    def on_message(self, m):
        if m["type"] != "ALERT":
            self.others.append(m)
            return
        self.manager.received.pop()  # they are many
        n = int(m["message"].split("sample ")[1].split()[0])
        self.seen[n] = self.seen.get(n, 0) + 1
        if n in self.acknowledged:
            self.after_ack.append(n)
        if self.acks:
            self.acknowledged.add(n)
            self.manager.send(type="ALERT_ACK", request_id=m["request_id"])

    def wait(self, numbers, seconds=DEADLINE):
        missing = set(numbers)

        def done():
            missing.difference_update(self.seen)
            return not missing

        try:
            wait_for(done, "all alerts", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; missing: {sorted(missing)}") from error


@pytest.fixture
def writer(agent):
    writer = Writer(agent.directory)
    yield writer
    if writer.file:
        writer.file.close()


@pytest.fixture
def sink(manager):
    return Sink(manager)


# An alert is whole when nothing came behind it for a second.
fast = pytest.mark.usefixtures("fast_clock")
WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def follow(agent, manager, writer, timeout="3600", wrapper=(), **keys):
    agent.configure(manager.url() if manager else None, connection={"heartbeat_frequency": "300"},
                    messaging={"retransmission_timeout": timeout},
                    logging={"level": "debug"},
                    intrusion_detection={"ossec": "yes", "alert_file": writer.path,
                                         "max_process_time": "0.05", **keys})
    agent.notifications()
    agent.start(wrapper, **SANITIZER)


def settle(agent, sink, writer):
    """An alert behind the others: when it is there, all before it were told or will not be."""
    agent.notifications()  # sd_notify() blocks while the socket is full
    sink.wait(writer.open().alerts(1))


def once(sink, numbers):
    assert sink.seen == dict.fromkeys(numbers, 1)


def listed(agent, limit=0):
    answer = json.loads(agent.on_bus("call", "ListAlerts", "u", str(limit)))
    return answer["data"][0]


def acknowledged(agent):
    """What a killed process had not stored of it is asked for once more."""
    wait_for(lambda: {row[1] for row in listed(agent)} == {"acknowledged"},
             "acknowledgements to be stored")


@fast
def test_message(agent, manager, sink, writer):
    """Key by key; the hash is the documented one; the last alert of the file is told as well."""
    messages = []
    sink.on_message = None
    manager.on_message = lambda m: m["type"] == "ALERT" and messages.append(m)
    writer.open().alerts(1)
    follow(agent, manager, writer)
    wait_for(lambda: messages, "an alert")
    (m,) = messages
    text = "2026 Nov 22 00:00:00 host->/var/log/auth.log\nSrc IP: 192.0.2.7\nUser: root\nsample 0\n\n"
    assert list(m) == ["type", "request_id", "current_timestamp", "alert_timestamp", "level", "rule",
                       "user", "source_ip", "message", "subject", "alert_hash"]
    assert m["alert_timestamp"] == NOW * 1000 and isinstance(m["alert_timestamp"], int)
    assert isinstance(m["current_timestamp"], float)
    assert (m["level"], m["rule"], m["user"], m["source_ip"]) == (12, 5716, "root", "192.0.2.7")
    assert (m["message"], m["subject"]) == (text, "SSHD authentication failed.")
    assert m["alert_hash"] == hashlib.sha256(
        f"{m['alert_timestamp']}{m['subject']}{text}".encode()).hexdigest()


def test_off_by_default(agent, manager, sink, writer):
    writer.open().alerts(1)
    agent.configure(manager.url(), intrusion_detection={"alert_file": writer.path})
    agent.start()
    manager.wait_offer()
    manager.round_trip("g")
    assert not sink.seen


def test_resent_until_acknowledged(agent, manager, sink, writer):
    """The same document each time, and never after the acknowledgement: not on the same connection,
    not on the next, not by the next process."""
    documents = []
    manager.on_message = lambda m: m["type"] == "ALERT" and documents.append(m)
    writer.open().alerts(1)
    follow(agent, manager, writer, timeout="0.1")
    wait_for(lambda: len(documents) >= 3, "three of them")
    agent.kill()
    agent.start()
    n = len(documents)
    wait_for(lambda: len(documents) > n, "one of the new process")
    manager.close_all()
    n = len(documents)
    wait_for(lambda: len(documents) > n, "one on the new connection")
    assert len({json.dumps(m, sort_keys=True) for m in documents}) == 1
    manager.send(type="ALERT_ACK", request_id=documents[0]["request_id"])
    manager.send(type="ALERT_ACK", request_id=documents[0]["request_id"])
    manager.round_trip("after-ack")
    wait_for(lambda: listed(agent)[0][1] == "acknowledged", "the acknowledgement to be stored")
    manager.on_message = sink.on_message
    agent.notifications()
    manager.close_all()
    manager.wait_offer(4)
    agent.kill()
    agent.start()
    manager.wait_offer(5)
    settle(agent, sink, writer)
    assert sink.seen == {1: 1}


def test_unknown_acknowledgement_is_ignored(agent, manager, sink, writer):
    """No NACK, which an ALERT_ACK got before; nor for a manager that refuses an alert."""
    refused = []

    def refuse(m):
        if m["type"] == "ALERT":
            refused.append(m)
            manager.send(type="NACK", request_id=m["request_id"], message_id=None)
        else:
            sink.others.append(m)

    manager.on_message = refuse
    writer.open().alerts(1)
    follow(agent, manager, writer, timeout="0.1")
    manager.wait_offer()
    for request_id in ("unknown", "x" * 1024, "\u00e4"):
        manager.send(type="ALERT_ACK", request_id=request_id)
    wait_for(lambda: len(refused) > 3, "it again and again")
    manager.round_trip("g")
    assert {m["type"] for m in sink.others} - {"LOG"} == {"ACK", "REPLY"}
    agent.wait_log("ALERT_ACK of an unknown alert is ignored")


@fast
def test_threshold(agent, manager, sink, writer):
    """Below it they are stored, and listed for root; the default is 10."""
    follow(agent, manager, writer)
    writer.open()
    low, high = writer.alerts(3, level=9), writer.alerts(3, level=10)
    sink.wait(high)
    once(sink, high)
    wait_for(lambda: [row[1] for row in listed(agent)] == ["kept"] * 3 + ["acknowledged"] * 3,
             "states")
    row = listed(agent, 1)[0]
    assert row[2:8] == [NOW * 1000000 + 500000, 10, 5716, "root", "192.0.2.7",
                        "SSHD authentication failed."]
    agent.configure(manager.url(), intrusion_detection={
        "ossec": "yes", "alert_file": writer.path, "max_process_time": "0.05",
        "alert_threshold": "3"})
    agent.call("Reload")
    more = writer.alerts(1, level=3)
    sink.wait(more)
    once(sink, high + more)
    assert low[0] not in sink.seen


def agentctl(agent, *arguments):
    agent.wait_name()
    return subprocess.run(
        [BUILD / "src/dcm-agentctl/dcm-agentctl", *arguments], check=True, capture_output=True, text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": agent.bus.address, "LC_ALL": "C.UTF-8",
             "TZ": "UTC"}).stdout


@fast
def test_agentctl(agent, manager, sink, writer):
    """Newest last; what came into a log is not let speak to the terminal."""
    follow(agent, manager, writer)
    agent.wait_notify("READY=1")
    assert agentctl(agent, "alerts") == "There are no alerts.\n"
    writer.open().alerts(2, level=3)
    writer.raw(text_of(2).replace("SSHD", "\x1b]0;\x9b\t"))
    sink.wait([2])
    wait_for(lambda: listed(agent)[-1][1] == "acknowledged", "the acknowledgement to be stored")
    assert agentctl(agent, "alerts", "-n", "2").splitlines() == [
        "TIME                     LEVEL  RULE  STATE         SUBJECT",
        "2026-11-22 16:39:37 UTC      3  5716  kept          SSHD authentication failed.",
        "2026-11-22 16:39:37 UTC     12  5716  acknowledged  ?]0;?? authentication failed."]
    rows = json.loads(agentctl(agent, "alerts", "--json"))
    assert [row["state"] for row in rows] == ["kept", "kept", "acknowledged"]
    assert rows[0]["message"].endswith("sample 0\n\n") and rows[0]["source_ip"] == "192.0.2.7"


@fast
def test_file_appears_later_with_its_directories(agent, manager, sink, writer):
    writer.path.parent.rmdir()
    follow(agent, manager, writer)
    agent.wait_log("waiting for it")
    writer.path.parent.mkdir()
    numbers = writer.open().alerts(2)
    sink.wait(numbers)
    once(sink, numbers)


@fast
def test_unreadable_file(agent, manager, sink, writer):
    """What to do is said once; when it can be read it is."""
    numbers = writer.open().alerts(2)
    writer.path.chmod(0)
    follow(agent, manager, writer, wrapper=WITHOUT_PRIVILEGE)
    agent.wait_log("SupplementaryGroups=ossec")
    writer.path.chmod(0o640)
    sink.wait(numbers)
    assert agent.log.read_text().count("SupplementaryGroups") == 1
    once(sink, numbers)


def test_partial_lines(agent, manager, sink, writer):
    """An alert that comes bit by bit is one alert."""
    follow(agent, manager, writer)
    writer.open()
    for n in range(3):
        text = text_of(n)
        for i in range(0, len(text), 11):
            writer.raw(text[i:i + 11])
            wait_for_seconds(0.001)
    writer.n = 3
    sink.wait(range(3))
    once(sink, range(3))


def test_what_is_no_alert(agent, manager, sink, writer):
    """It costs no alert, and is said."""
    follow(agent, manager, writer)
    writer.open()
    writer.raw("left over\n\n** Alert 1.1: x\nno rule\n\n")
    first = writer.alerts(1)
    with writer.path.open("ab") as f:
        f.write(b"** Alert x: no\n\xff\xfe\n" + bytes(300000) + b"\n")
    last = writer.alerts(1)
    writer.raw("** Alert 1.2: x\ndate\nRule: 99999999999 (level 1) -> 'x'\n\n")
    last += writer.alerts(1)
    sink.wait(first + last)
    once(sink, first + last)
    assert agent.log.read_text().count("could not be parsed and was skipped") == 2


@fast
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("name", ["alerts.log.1", "2026/Nov/ossec-alerts-22.log"])
def test_rotation(agent, manager, sink, writer, running, name):
    """By another name: what was written to the old file comes first, also when it is written after the
    rotation, and also when the agent did not run meanwhile."""
    follow(agent, manager, writer)
    numbers = writer.open().alerts(10)
    sink.wait(numbers)
    if not running:
        acknowledged(agent)
        agent.kill()
    numbers += writer.alerts(5)
    writer.rename(name)
    numbers += writer.alerts(5)  # the writer has it open still
    numbers += writer.open().alerts(5)
    if not running:
        agent.start()
    sink.wait(numbers)
    settle(agent, sink, writer)
    once(sink, range(writer.n))
    assert "are lost" not in agent.log.read_text()


@fast
def test_link_to_another_directory(agent, manager, sink, writer):
    """It is rotated there, of which nothing tells."""
    link = agent.directory / "link.log"
    link.symlink_to(writer.path)
    follow(agent, manager, writer)
    agent.configure(manager.url(), intrusion_detection={"ossec": "yes", "alert_file": link, "max_process_time": "0.05"})
    agent.call("Reload")
    sink.wait(writer.open().alerts(1))
    for name in "one", "two":
        writer.alerts(2)
        writer.rename(name)
        sink.wait(writer.open().alerts(2))
    settle(agent, sink, writer)
    once(sink, range(writer.n))


@fast
@pytest.mark.parametrize("directory", ["", "2026/Nov/"])
def test_rotations_while_stopped(agent, manager, sink, writer, directory):
    """What came and went between the file that was read last and that of today is read as well, in that
    order; what is no alert file, or a copy of one, is not told."""
    follow(agent, manager, writer)
    numbers = writer.open().alerts(3)
    sink.wait(numbers)
    acknowledged(agent)
    agent.kill()
    numbers += writer.alerts(3)
    shutil.copyfile(writer.path, writer.path.with_name("copy"))
    for i, name in enumerate(("third", "second", "first")):
        writer.rename(directory + name)
        # in one moment there would be no order
        os.utime(writer.path.parent / directory / name, (0, time.time() + i))
        writer.n += 1000  # another second
        numbers += writer.open().alerts(3)
    writer.path.with_name("alerts.json").write_text("{}\n")
    agent.start()
    sink.wait(numbers)
    settle(agent, sink, writer)
    numbers.append(writer.n - 1)
    once(sink, numbers)
    assert list(sink.seen) == numbers


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_several_rotations(agent, manager, sink, writer, running):
    """Between two looks, also when all are of one moment: each file is read, in its turn. What is no alert
    file, or a copy of one that was read, is left alone."""
    follow(agent, manager, writer, max_process_time="0.05" if not running else "2")
    numbers = writer.open().alerts(10)
    sink.wait(numbers)
    if not running:
        acknowledged(agent)
        agent.kill()
    shutil.copyfile(writer.path, writer.path.with_name("backup"))
    for rotation in range(20):
        for older in range(rotation, 0, -1):
            writer.path.with_name(f"alerts.log.{older}").rename(writer.path.with_name(f"alerts.log.{older + 1}"))
        writer.rename("alerts.log.1")
        numbers += writer.open().alerts(3)
    for name, text in (("alerts.json", b'{"timestamp": 1}\n'), ("alerts.log.0.gz", gzip.compress(b"** Alert")),
                       ("empty", b"")):
        writer.path.with_name(name).write_bytes(text)
    if not running:
        agent.start()
    sink.wait(numbers)
    settle(agent, sink, writer)
    once(sink, range(writer.n))
    log = agent.log.read_text()
    assert "are lost" not in log and "is not understood" not in log


@fast
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_copy_and_truncate(agent, manager, sink, writer, running):
    """What was not read before the file was cut is read from the copy."""
    follow(agent, manager, writer)
    numbers = writer.open().alerts(10)
    sink.wait(numbers)
    if not running:
        acknowledged(agent)
        agent.kill()
    numbers += writer.alerts(500)
    shutil.copyfile(writer.path, writer.path.with_name("copy"))
    os.truncate(writer.path, 0)
    numbers += writer.alerts(600)  # longer than what was read
    if not running:
        agent.start()
    sink.wait(numbers)
    settle(agent, sink, writer)
    once(sink, range(writer.n))
    assert "are lost" not in agent.log.read_text()


@fast
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("left", ["\0" * 5000, "** Ale", "** Alert 1795365577.1: - sys", "2026 Nov 22 00:0",
                                  "Rule: 5716 (level 12) -> 'SSH", "sample\0\0\0"],
                         ids=["nuls", "begin", "first-line", "date", "rule", "text"])
def test_power_loss(agent, manager, sink, writer, left, running):
    """What was written last is cut off, or NULs; OSSEC goes on behind it, in the same line."""
    follow(agent, manager, writer)
    numbers = writer.open().alerts(10)
    sink.wait(numbers)
    if not running:
        acknowledged(agent)
        agent.kill()
    writer.raw(left)
    if running:
        settle(agent, sink, writer)
    numbers += writer.alerts(10)
    if not running:
        agent.start()
    sink.wait(numbers)
    settle(agent, sink, writer)
    once(sink, range(writer.n))


@fast
def test_truncation_without_a_copy(agent, manager, sink, writer):
    follow(agent, manager, writer)
    numbers = writer.open().alerts(10)
    sink.wait(numbers)
    os.truncate(writer.path, 0)
    numbers += writer.alerts(2)
    sink.wait(numbers)
    settle(agent, sink, writer)
    once(sink, range(writer.n))


@fast
def test_same_alert_twice(agent, manager, sink, writer):
    """In one file, in another, and in one that is read from its beginning."""
    follow(agent, manager, writer)
    writer.open().alerts(3)
    writer.raw(text_of(0) + text_of(2))
    sink.wait(range(3))
    os.truncate(writer.path, 0)
    writer.raw(text_of(1) + text_of(0))
    settle(agent, sink, writer)
    acknowledged(agent)
    agent.kill()
    writer.path.unlink()
    writer.open().raw(text_of(2) + text_of(1))
    agent.start()
    settle(agent, sink, writer)
    once(sink, range(writer.n))


@fast
def test_equal_alerts(agent, manager, sink, writer):
    """Of one second and with the same text, but at two places: two."""
    follow(agent, manager, writer)
    writer.open().raw("".join(text_of(0).replace(f"{NOW}.0:", f"{NOW}.{place}:") for place in (123400, 123700)))
    wait_for(lambda: sink.seen.get(0) == 2, "both")
    rows = listed(agent)
    assert len({row[0] for row in rows}) == 2 and len({row[2] for row in rows}) == 1
    settle(agent, sink, writer)


@fast
def test_manager_is_away(agent, manager, sink, writer):
    """They are stored meanwhile, and told once."""
    agent.configure(None, intrusion_detection={"ossec": "yes", "alert_file": writer.path,
                                               "max_process_time": "0.05"})
    agent.start()
    numbers = writer.open().alerts(300)
    wait_for(lambda: len(listed(agent)) == 300, "all stored")
    agent.kill()
    writer.path.unlink()
    follow(agent, manager, writer)
    sink.wait(numbers)
    settle(agent, sink, writer)
    once(sink, range(writer.n))


@pytest.mark.parametrize("seed", range(2 if SANITIZED else 6))
def test_killed_at_any_moment(agent, manager, sink, writer, seed):
    """While alerts are written, sent and acknowledged, the file rotated and copied: none is lost, and
    of those that the manager has acknowledged at most those come again whose acknowledgement was on
    its way or not yet stored."""
    chance = random.Random(seed)
    writer.open()
    again = 0
    for round_ in range(12):
        follow(agent, manager, writer, timeout="0.5")
        if round_ == 0:  # what is rotated away before it was ever looked at is not known
            sink.wait(writer.alerts(1))
        for _ in range(chance.randrange(1, 6)):
            writer.alerts(chance.randrange(1, 120))
            kind = chance.randrange(6)
            if kind == 0:
                writer.rename(f"alerts.log.{writer.n}")
                writer.open()
            if kind == 1:
                shutil.copyfile(writer.path, writer.path.with_name(f"copy.{writer.n}"))
                os.truncate(writer.path, 0)
            writer.alerts(chance.randrange(1, 120))
            wait_for_seconds(chance.random() * 0.1)
        before = len(sink.after_ack)
        agent.kill()
        again = max(again, before)
    follow(agent, manager, writer)
    settle(agent, sink, writer)
    sink.wait(range(writer.n))
    assert set(sink.seen) == set(range(writer.n))
    assert len(sink.after_ack) <= 12 * 64  # one window for each kill
    assert "are lost" not in agent.log.read_text()


def test_many(agent, manager, sink, writer):
    """A large file that is there at once: memory stays, other work goes on, each comes once."""
    n = 20000 if SANITIZED else 200000
    writer.open().alerts(n, more="x" * 200 + "\n")
    follow(agent, manager, writer)
    manager.wait_offer()
    manager.round_trip("first")
    wait_for(lambda: len(sink.seen) > n // 100, "the first of them")
    early = agent.memory()
    for i in range(10):
        wait_for(lambda i=i: len(sink.seen) >= n // 12 * (i + 1), "more of them", 600)
        manager.round_trip(f"g{i}")
    sink.wait(range(n), 600)
    settle(agent, sink, writer)
    once(sink, range(n + 1))
    assert agent.memory() < early + (4 << 20)
