# SPDX-License-Identifier: Apache-2.0
"""dcm-metrics as a program: its text is read by the Prometheus project's own OpenMetrics parser, compared with
/proc, and asked for by good and bad HTTP clients."""

import os
import pathlib
import re
import socket
import subprocess
import threading

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness import BUILD, DEADLINE

PROGRAM = BUILD / "src/dcm-metrics/dcm-metrics"
GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


def families(text):
    return {f.name: f for f in text_string_to_metric_families(text)}


def printed(agent=None, *arguments):
    environment = {**os.environ}
    environment["DBUS_SYSTEM_BUS_ADDRESS"] = agent.bus.address if agent else "unix:path=/nonexistent"
    return subprocess.run([PROGRAM, "--print", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=True, env=environment, timeout=DEADLINE).stdout


def value(found, name, suffix="", **labels):
    sample, = [s for s in found[name].samples if s.name == name + suffix and s.labels == labels]
    return sample.value


def test_sensors_of_one_name_are_told_apart(tmp_path):
    """Two processors: a metric must not come twice with the same labels."""
    for n in range(3):
        chip = tmp_path / f"sys/class/hwmon/hwmon{n}"
        chip.mkdir(parents=True)
        (chip / "name").write_text("coretemp\n")
        (chip / "temp1_label").write_text("Package id 0\n")
        (chip / "temp1_input").write_text(f"4{n}000\n")
    (tmp_path / "proc").mkdir()
    found = families(printed(None, f"--root={tmp_path}"))["dcm_temperature_celsius"].samples
    assert {s.labels["sensor"]: s.value for s in found} == {
        "coretemp Package id 0": 40, "coretemp Package id 0 #2": 41, "coretemp Package id 0 #3": 42}


@pytest.fixture
def serve():
    """Answers what is written to a connection, as systemd has it answered."""
    def ask(*pieces, leave=False):
        ours, theirs = socket.socketpair()
        process = subprocess.Popen([PROGRAM], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
                                   env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"})
        theirs.close()
        with ours:
            for piece in pieces:
                try:
                    ours.sendall(piece)
                except BrokenPipeError:  # it has answered, and is gone
                    break
            data = b""
            if leave:
                ours.close()
            else:
                while piece := ours.recv(65536):
                    data += piece
        assert process.wait(60) == 0 and process.stderr.read() == b""
        head, _, body = data.partition(b"\r\n\r\n")
        return head.decode(), body.decode()
    return ask


def test_text_is_openmetrics():
    text = printed()
    assert text.endswith("# EOF\n")
    found = families(text)
    for name, family in found.items():
        assert name.startswith("dcm_") and family.documentation, name
        assert not family.unit or name.endswith("_" + family.unit), name
    assert value(found, "dcm_agent_up") == 0 and value(found, "dcm_agent_connected") == 0


def test_values_are_the_kernels():
    """Counters, and what does not change much: before and after."""
    def meminfo(key):
        return int(re.search(rf"^{key}:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)[1]) << 10

    def received(name):
        line, = [x for x in pathlib.Path("/proc/net/dev").read_text().splitlines() if x.split(":")[0].strip() == name]
        return int(line.split(":")[1].split()[0])

    def ticks():
        return sum(map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]))

    before = ticks(), received("lo")
    found = families(printed())
    after = ticks(), received("lo")
    hertz = os.sysconf("SC_CLK_TCK")
    assert before[0] <= value(found, "dcm_cpu_seconds", "_total") * hertz + 0.5 and \
        value(found, "dcm_cpu_seconds", "_total") * hertz <= after[0] + 0.5
    assert before[1] <= value(found, "dcm_network_received_bytes", "_total", interface="lo") <= after[1]
    assert value(found, "dcm_memory_size_bytes") == meminfo("MemTotal")
    assert value(found, "dcm_swap_size_bytes") == meminfo("SwapTotal")
    root = os.statvfs("/")
    assert value(found, "dcm_filesystem_size_bytes", mountpoint="/") == root.f_blocks * root.f_frsize


def test_machine_of_files(tmp_path):
    """Names that have to be quoted; what is not there is left out."""
    proc = tmp_path / "proc"
    (proc / "net").mkdir(parents=True)
    (proc / "net/dev").write_text("Inter-|   Receive\n face |bytes\n  a\"b\\c: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n")
    found = families(printed(None, f"--root={tmp_path}"))
    assert value(found, "dcm_network_received_bytes", "_total", interface='a"b\\c') == 1
    assert value(found, "dcm_network_send_errors", "_total", interface='a"b\\c') == 7
    assert "dcm_cpu_seconds" not in found and "dcm_memory_size_bytes" not in found


def test_agent_is_told(agent, manager):
    agent.configure(manager.url())
    agent.start()
    manager.wait_offer()
    manager.request("g-1", "heartbeat")
    manager.ack(manager.wait_message("REPLY", "g-1"))
    found = {}

    def ask():
        found.update(families(printed(agent)))
    thread = threading.Thread(target=ask)  # the manager's loop is not needed for it
    thread.start()
    thread.join()
    assert value(found, "dcm_agent_up") == 1 and value(found, "dcm_agent_connected") == 1
    assert value(found, "dcm_agent", "_info", version="2.0.0") == 1
    assert value(found, "dcm_agent_connected_since_timestamp_seconds") > 1.7e9
    assert sum(s.value for s in found["dcm_agent_requests"].samples) == 1
    assert value(found, "dcm_agent_jobs", state="running") == 0


def test_http(serve):
    head, body = serve(GET)
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8" in head
    assert f"Content-Length: {len(body.encode())}" in head and families(body)
    head, body = serve(b"GET /metrics?x=1 HTTP/1.0\r\n\r\n")
    assert head.startswith("HTTP/1.1 200") and body
    head, body = serve(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith("HTTP/1.1 200") and body == "" and "Content-Length: 0" not in head


def test_head_in_pieces(serve):
    assert serve(*(bytes([b]) for b in GET))[0].startswith("HTTP/1.1 200")


@pytest.mark.parametrize("request_,status", [
    (b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n", 404), (b"GET /metricsx HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", 405), (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
    (b"GET /metrics\r\n\r\n", 400), (b"GET  /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 400), (b"\r\n\r\n", 400),
    (b"GET /metrics HTTP/2.0\r\nHost: x\r\n\r\n", 400), (b"\0\xff\r\n\r\n", 400),
    (b"GET /metrics HTTP/1.1 x\r\nHost: x\r\n\r\n", 400), (b"G" * 100000, 400),
    (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000, 400),
], ids=["path", "longer-path", "post", "no-host", "no-version", "blanks", "empty", "version", "garbage", "words",
        "long-line", "many-fields"])
def test_wrong_requests(serve, request_, status):
    head, body = serve(request_)
    assert head.startswith(f"HTTP/1.1 {status} ") and "dcm_" not in body
    assert (status != 405) == ("Allow:" not in head)


def test_client_that_leaves(serve):
    serve(b"GET /met", leave=True)
    serve(GET, leave=True)


def test_silent_client_is_left(serve):
    assert serve(b"GET /metrics HT") == ("", "")


def test_many_at_a_time(serve):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(serve(GET))) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 8 and all(families(body) for _, body in answers)
