# SPDX-License-Identifier: Apache-2.0
"""What people and programs see of the statistics: org.dcmagent.Agent1.Health, dcm-agentctl stats and top."""

import csv
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios

import pyte
import pytest

from harness import BUILD, LoneAgent, wait_for
from test_bounds import ARGUMENTS

HEALTH = "org.dcmagent.Agent1.Health"
CTL = BUILD / "src/dcm-agentctl/dcm-agentctl"
TYPES = ["system-stats", "memory", "load", "filesystems", "pressure", "disks", "interfaces", "temperature", "units",
         "agent"]


def call(agent, method, *arguments):
    return json.loads(agent.on_bus("call", method, *arguments, interface=HEALTH))["data"]


def get(agent, name):
    return json.loads(agent.on_bus("get-property", name, interface=HEALTH))["data"]


def ctl(agent, *arguments, status=0):
    """The agent's manager may need the main loop meanwhile."""
    process = subprocess.Popen([CTL, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment(agent))
    output = []
    wait_for(lambda: process.poll() is not None or output.append(os.read(process.stdout.fileno(), 0)), "dcm-agentctl")
    assert process.returncode == status, process.stderr.read()
    return process.stdout.read() if status == 0 else process.stderr.read()


def environment(agent):
    return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": agent.bus.address, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}


@pytest.fixture
def running(agent):
    def start(interval="0", history="60"):
        agent.configure(None, health={"interval": interval, "history": history})
        agent.start()
        agent.wait_notify("READY=1")
        return agent
    return start


def test_types_are_all_there(running):
    types = {t[0]: t for t in call(running(), "ListTypes")[0]}
    assert set(TYPES) < set(types)
    assert ["cpu-load", "share"] in [f[:2] for f in types["system-stats"][1]]
    assert types["disks"][2] == "disks" and ["utilisation", "share"] in [f[:2] for f in types["disks"][3]]


def test_overview_is_kept_at_its_interval(running, agent):
    running("0.1", "3")
    (statistic,) = call(agent, "ListStatistics")[0]
    assert statistic[:5] == ["overview", "system-overview", "agent", 100000, 3] and statistic[5] <= 3
    wait_for(lambda: call(agent, "ListStatistics")[0][0][5] == 3, "three samples")
    samples = call(agent, "GetSamples", "su", "overview", "2")[0]
    memory = [s for s in samples if s[0] == "memory"]
    assert len(memory) == 2 and memory[0][1] < memory[1][1]
    assert {v[1] for v in memory[0][2]} >= {"total", "available", "used"} and {v[0] for v in memory[0][2]} == {""}
    newest = {s[0]: s for s in call(agent, "GetNewest")[0]}
    assert set(newest) >= {"system-stats", "memory", "load", "interfaces", "agent"}
    assert "lo" in {v[0] for v in newest["interfaces"][2]}
    assert get(agent, "MemoryTotal") == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 <= get(agent, "CPULoad") <= 1 and get(agent, "SampledUSec") >= newest["memory"][1]


def test_reload_changes_interval_and_history(running, agent):
    running("0.1", "3")
    agent.configure(None, health={"interval": "5", "history": "7"})
    agent.call("Reload")
    assert call(agent, "ListStatistics")[0] == [["overview", "system-overview", "agent", 5000000, 7, 0]]
    agent.configure(None, health={"interval": "0"})
    agent.call("Reload")
    assert call(agent, "ListStatistics")[0] == []
    assert str(get(agent, "CPULoad")) in ("nan", "None", "NaN") and get(agent, "SampledUSec") == 0


def test_errors(running, agent):
    running()
    with pytest.raises(subprocess.CalledProcessError) as e:
        call(agent, "GetSamples", "su", "nothing", "1")
    assert "There is no statistic nothing" in e.value.stderr
    assert ctl(agent, "stats", "nothing", status=1) == "The agent answered: There is no statistic nothing\n"


def subscriber(agent):
    """A program that has subscribed, and prints each sample."""
    process = subprocess.Popen(
        ["/usr/bin/python3", "-c", """
import dbus, dbus.mainloop.glib, sys
from gi.repository import GLib
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
o = dbus.Interface(bus.get_object('org.dcmagent.Agent1', '/org/dcmagent/Agent1'), 'org.dcmagent.Agent1.Health')
o.connect_to_signal('Sampled', lambda kind, time, values: print(kind, len(values), flush=True))
o.Subscribe()
o.Subscribe()
print('subscribed', flush=True)
GLib.MainLoop().run()
"""], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment(agent))
    assert process.stdout.readline() == "subscribed\n"
    return process


def is_live(agent):
    return "live" in [s[0] for s in call(agent, "ListStatistics")[0]]


def test_samples_are_signalled_while_somebody_has_subscribed(running, agent):
    running()
    assert not is_live(agent)
    first, second = subscriber(agent), subscriber(agent)
    assert is_live(agent)
    found = {first.stdout.readline().split()[0] for _ in range(20)}
    assert found >= {"system-stats", "memory", "load", "interfaces", "agent"}
    first.kill()
    first.wait()
    second.stdout.readline()
    assert is_live(agent)
    second.kill()
    second.wait()
    wait_for(lambda: not is_live(agent), "the end of the live overview, with the last subscriber")


def test_stats_for_people_and_programs(running, agent):
    """Nothing is kept: the agent is asked to look, and ceases afterwards."""
    running()
    text = ctl(agent, "stats")
    assert re.search(r"^memory  \d{4}-\d\d-\d\d ", text, re.M) and re.search(r"^  total +[\d.]+[MGT]$", text, re.M)
    assert re.search(r"^  lo +[\d.]+\w*/s", text, re.M)
    found = {s["type"]: s for s in json.loads(ctl(agent, "stats", "--json"))}
    assert found["memory"]["total"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert "bytes-in" in found["interfaces"]["rows"]["lo"] and found["load"]["timestamp_usec"] > 1.7e15
    rows = list(csv.DictReader(io.StringIO(ctl(agent, "stats", "--csv"))))
    assert {r["type"] for r in rows} >= {"memory", "interfaces"}
    total, = [r["value"] for r in rows if (r["type"], r["row"], r["key"]) == ("memory", "", "total")]
    assert float(total) == pytest.approx(found["memory"]["total"])
    wait_for(lambda: not is_live(agent), "the end of the live overview")


def test_stats_of_the_managers(running, agent, manager):
    agent.configure(manager.url(), health={"interval": "0"})
    agent.start()
    manager.wait_offer()
    manager.request("g-1", "init_system_stat", {"statType": "cpu-idle", "statName": "idle", "holdCount": 5,
                                                "checkInterval": 0.1})
    manager.ack(manager.wait_message("REPLY", "g-1"))
    wait_for(lambda: call(agent, "ListStatistics")[0][0][5] == 5, "five samples")
    assert call(agent, "ListStatistics")[0] == [["idle", "cpu-idle", "manager", 100000, 5, 5]]
    found = json.loads(ctl(agent, "stats", "idle", "--json", "-n", "2"))
    assert [s["type"] for s in found] == ["cpu-idle"] * 2 and 0 <= found[0]["cpu-idle"] <= 1
    assert len(json.loads(ctl(agent, "stats", "idle", "--json", "--since=-1h"))) == 5
    assert json.loads(ctl(agent, "stats", "idle", "--json", "--since=2099-01-01")) == []
    assert ctl(agent, "stats", "idle", "--since=2099-01-01") == "There is no sample yet.\n"


def test_top_without_a_terminal_is_one_picture(running, agent):
    running()
    text = ctl(agent, "top")
    assert "Not configured" in text and "\033" not in text
    assert re.search(r"^CPU +[▁▂▃▄▅▆▇█]+ +[\d.]+ %  load [\d.]+ [\d.]+ [\d.]+, \d+ of \d+ tasks can run$", text, re.M)
    assert re.search(r"^Memory .*[\d.]+\w available of [\d.]+\w", text, re.M)
    assert re.search(r"^Jobs: 0$", text, re.M) and re.search(r"^lo +", text, re.M)


class Terminal:
    """dcm-agentctl top on a terminal of that size; what it shows is what pyte makes of its output."""

    def __init__(self, agent, columns, lines, **more):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen([CTL, "top"], stdin=theirs, stdout=theirs, stderr=theirs,
                                        env={**environment(agent), **more}, start_new_session=True)
        self.theirs = theirs  # whose settings are looked at afterwards
        os.set_blocking(self.ours, False)

    def read(self):
        try:
            piece = os.read(self.ours, 65536)
        except (BlockingIOError, OSError):
            return
        self.raw += piece
        self.stream.feed(piece)

    def wait(self, pattern):
        def shown():
            self.read()
            return re.search(pattern, "\n".join(self.screen.display), re.M)
        return wait_for(shown, f"{pattern} in\n" + "\n".join(self.screen.display))

    def end(self, status=0):
        def ended():
            self.read()
            return self.process.poll() is not None
        wait_for(ended, "the end of top")
        while select.select([self.ours], [], [], 0)[0]:
            size = len(self.raw)
            self.read()
            if len(self.raw) == size:
                break
        assert self.process.returncode == status
        flags = termios.tcgetattr(self.theirs)[3]
        assert flags & termios.ICANON and flags & termios.ECHO, "the terminal is as it was"
        assert self.raw.rstrip().endswith(b"\033[?1049l") and b"\033[?25h" in self.raw
        os.close(self.ours)
        os.close(self.theirs)


def test_top_on_a_terminal(running, agent):
    running()
    t = Terminal(agent, 100, 40)
    t.wait(r"^CPU .*[▁▂▃▄▅▆▇█]{3}.* %")
    display = t.screen.display
    assert any(line.startswith("q: leave") for line in display)
    assert b"\033[32m" in t.raw
    os.write(t.ours, b"xq")
    t.end()
    wait_for(lambda: not is_live(agent), "the end of the live overview")


class UnwrappingScreen(pyte.Screen):
    """Notes what is written beyond the edge, which a terminal would cut or wrap without a mark."""

    beyond = ""

    def draw(self, data):
        if self.cursor.x + len(data) > self.columns:
            self.beyond += data
        super().draw(data)


@pytest.mark.parametrize("columns,lines", [(20, 5), (40, 12), (40, 24), (80, 24), (120, 60), (200, 24), (300, 80)])
def test_top_fits_any_terminal(running, agent, columns, lines):
    """No line is longer than the terminal, none is lost below it, and what is cut has an ellipsis."""
    running()
    t = Terminal(agent, columns, lines, NO_COLOR="1")
    t.screen = UnwrappingScreen(columns, lines)
    t.stream = pyte.ByteStream(t.screen)
    t.wait(r"^q: leave")
    t.wait(r"^CPU .* %")
    assert not t.screen.beyond
    assert t.screen.display[-1].startswith("q: leave") and t.screen.display[1].startswith("● Not configured")
    assert ("…" in t.screen.display[1]) == (columns < 200)
    if columns < 80:
        assert re.search(r"^CPU +[\d.]+ %", "\n".join(t.screen.display), re.M), "no room for a course of time"
    if lines == 60:
        t.wait(r"^INTERFACE +RECEIVED +SENT")
    elif lines == 24:
        t.wait(r"^m: show .*interfaces|^INTERFACE")
    assert not re.search(rb"\033\[\d+m", t.raw)
    os.write(t.ours, b"q")
    t.end()


@pytest.mark.parametrize("columns,lines", [(40, 12), (80, 24)])
def test_top_reaches_the_tables_without_room(running, agent, columns, lines):
    running()
    t = Terminal(agent, columns, lines)
    t.screen = UnwrappingScreen(columns, lines)
    t.stream = pyte.ByteStream(t.screen)
    t.wait(r"^m: show|^and \d+ more|^INTERFACE")
    keys(t, b"m")
    t.wait(r"^(FILE SYSTEM|DISK|INTERFACE) +\w")
    t.wait(r"^q, Escape: back")
    keys(t, b"\033[F")
    t.wait(r"^lo  ")
    assert not t.screen.beyond and "?" not in "\n".join(t.screen.display)
    keys(t, b"q")
    t.wait(r"^Jobs: 0")
    keys(t, b"mq")
    t.wait(r"^Jobs: 0")
    keys(t, b"q")
    t.end()


@pytest.fixture
def busy(agent, manager):
    """An agent with twenty jobs, which wait: the private bus has no executor."""
    agent.configure(manager.url(), health={"interval": "0"})
    agent.start()
    manager.wait_offer()
    guids = [f"{i:02}-job-of-a-long-name" for i in range(20)]
    for guid in guids:
        manager.request(guid, "run_script", ARGUMENTS)
        manager.wait_message("ACK", guid)
    return guids


def keys(t, text):
    t.read()
    os.write(t.ours, text)


@pytest.mark.parametrize("down,up,last", [(b"j", b"k", b"\033[F"), (b"\033[B", b"\033[A", b"\033[6~" * 20)])
def test_top_scrolls_to_the_selected_job(busy, agent, down, up, last):
    t = Terminal(agent, 80, 24, NO_COLOR="1")
    t.wait(r"^> 00-job.* run_script ")
    assert not any("19-job" in line for line in t.screen.display)
    t.wait(r"^Jobs: 20, by age, 1 to \d+ shown")
    t.wait(r"^Jobs do not start: ")
    keys(t, down + down)
    t.wait(r"^> 02-job")
    keys(t, up)
    t.wait(r"^> 01-job")
    keys(t, last)
    t.wait(r"^> 19-job")
    assert not any(line.startswith("00-job") for line in t.screen.display)
    t.wait(r"^Jobs: 20, by age, \d+ to 20 shown")
    keys(t, b"\033[H")
    t.wait(r"^> 00-job")
    keys(t, b"q")
    t.end()


def test_top_sorts_and_helps(busy, agent):
    t = Terminal(agent, 60, 20)
    for name in ("age", "CPU", "memory", "state", "age"):
        t.wait(rf"^Jobs: 20, by {name}")
        keys(t, b"s")
    for key, leave in ((b"?", b"q"), (b"h", b"\033")):
        keys(t, key)
        t.wait(r"^ +Enter +show the selected request")
        assert not any(line.startswith("Jobs:") for line in t.screen.display)
        keys(t, b"\033[6~")
        t.wait(r"^ +BUSY ")
        keys(t, leave)
        t.wait(r"^Jobs: 20")
    keys(t, b"q")
    t.end()


def test_top_breaks_a_page_between_words(running, agent):
    running()
    t = Terminal(agent, 40, 30)
    t.wait(r"^CPU .* %")
    keys(t, b"?")
    t.wait(r"^  Home, End +the first, the last *\njob *$")
    keys(t, b"qq")
    t.end()


def test_top_shows_the_selected_request(busy, agent):
    t = Terminal(agent, 100, 40)
    t.wait(r"^00-job")
    keys(t, b"j\r")
    t.wait(r"^ *Request *: 01-job-of-a-long-name")
    t.wait(r"^ *State *: ACKED")
    keys(t, b"\033")
    t.wait(r"^Jobs: 20")
    keys(t, b"q")
    t.end()


def test_top_asks_before_it_cancels_or_pauses(busy, agent, manager):
    t = Terminal(agent, 100, 40)
    t.wait(r"^19-job")
    keys(t, b"\033[F")
    keys(t, b"cn")
    t.wait(r"^q: leave")
    keys(t, b"c")
    t.wait(r"^Cancel\? y/n +\(run_script 19-job-o\)")
    assert not manager.of_type("REPLY", busy[-1])
    keys(t, b"y")
    manager.wait_message("REPLY", busy[-1])
    t.wait(r"^Jobs: 19")
    keys(t, b"p")
    t.wait(r"^Pause\? y/n")
    assert agent.property("PauseMode") == ""
    keys(t, b"y")
    t.wait(r"^Paused: new jobs wait")
    keys(t, b"p")
    t.wait(r"^Resume\? y/n")
    keys(t, b"y")
    wait_for(lambda: t.read() or not any("Paused" in line for line in t.screen.display), "the end of the pause")
    assert agent.property("PauseMode") == ""
    keys(t, b"q")
    t.end()


def test_top_says_why_something_failed(busy, agent):
    t = Terminal(agent, 100, 40)
    t.wait(r"^19-job")
    keys(t, b"p")
    t.wait(r"^Pause\? y/n")
    agent.stop()
    keys(t, b"y")
    t.wait(r"^The agent is not running\. Start it: systemctl start dcm-agent")
    keys(t, b"x")
    t.wait(r"^q: leave")
    keys(t, b"q")
    t.end()


def test_top_page_is_moved_when_the_terminal_grows(busy, agent):
    t = Terminal(agent, 60, 10)
    t.wait(r"^Jobs: 20")
    keys(t, b"?")
    t.wait(r"^Keys")
    keys(t, b"\033[F")
    t.wait(r"^ +BUSY ")
    assert not t.screen.display[0].startswith("Keys")
    fcntl.ioctl(t.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
    t.screen.resize(40, 60)
    t.process.send_signal(signal.SIGWINCH)
    t.wait(r"^Keys")
    keys(t, b"qq")
    t.end()


def test_top_is_redrawn_for_another_size(running, agent):
    running()
    t = Terminal(agent, 100, 40)
    t.wait(r"^INTERFACE")
    fcntl.ioctl(t.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 30, 0, 0))
    t.screen.resize(8, 30)
    t.process.send_signal(signal.SIGWINCH)
    t.wait(r"^CPU")
    t.process.send_signal(signal.SIGTERM)
    t.end()


def test_top_is_stopped_and_goes_on(running, agent):
    """Ctrl-Z: the shell has its terminal back as it was, until fg."""
    running()
    t = Terminal(agent, 100, 40)
    t.wait(r"^CPU")
    t.process.send_signal(signal.SIGTSTP)
    wait_for(lambda: "\nState:\tT" in pathlib.Path(f"/proc/{t.process.pid}/status").read_text(), "a stop")
    t.read()
    flags = termios.tcgetattr(t.theirs)[3]
    assert flags & termios.ICANON and flags & termios.ECHO
    assert t.raw.endswith(b"\033[?1049l") and b"\033[?25h" in t.raw
    t.raw = b""
    t.process.send_signal(signal.SIGCONT)
    wait_for(lambda: t.read() or b"\033[?1049h" in t.raw, "the screen of its own")
    t.wait(r"^CPU")
    assert not termios.tcgetattr(t.theirs)[3] & termios.ECHO
    os.write(t.ours, b"q")
    t.end()


def test_top_waits_for_an_agent_that_is_restarted(running, agent):
    running()
    t = Terminal(agent, 100, 40)
    t.wait(r"Not configured")
    agent.stop()
    t.wait(r"The agent is not running\.")
    agent.start()
    t.wait(r"Not configured")
    t.wait(r"^CPU .*[▁▂▃▄▅▆▇█]{2}")
    os.write(t.ours, b"q")
    t.end()


def test_top_ends_with_the_bus():
    lone = LoneAgent()
    try:
        lone.configure(None, health={"interval": "0"})
        lone.start()
        lone.wait_notify("READY=1")
        t = Terminal(lone, 100, 40)
        t.wait(r"^CPU .*[▁▂▃▄▅▆▇█]")
        lone.stop()
        lone.bus.stop()
        t.end(status=1)
    finally:
        lone.remove()


HOSTILE = ("unshare", "--net", "sh", "-c", "ip link set lo up; ip link add \"$(printf 'a\\033[5m\\302\\233b')\" type veth"
           '; exec "$@"', "sh")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a network namespace of its own")
def test_names_do_not_speak_to_the_terminal(agent):
    agent.configure(None, health={"interval": "0"})
    agent.start(HOSTILE)
    agent.wait_notify("READY=1")
    for verb in ("stats", "top"):
        text = ctl(agent, verb)
        assert re.search(r"^ *a\?\[5m\?b   ", text, re.M), text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    found = {s["type"]: s for s in json.loads(ctl(agent, "stats", "--json"))}
    assert "a\033[5m\x9bb" in found["interfaces"]["rows"]


MANY = ("unshare", "--net", "sh", "-c", "for i in $(seq 500); do echo link add name interface-a$i type veth peer name "
        'interface-b$i; done | ip -batch -; exec "$@"', "sh")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a network namespace of its own")
def test_no_answer_is_larger_than_the_bus_takes(agent):
    """dbus-daemon would end the agent's connection, and everybody may ask."""
    agent.configure(None, health={"interval": "0.1", "history": "1000"})
    agent.start(MANY)
    agent.wait_notify("READY=1")
    wait_for(lambda: call(agent, "ListStatistics")[0][0][5] >= 120, "samples of more than 32 MiB")
    samples = call(agent, "GetSamples", "su", "overview", "1000")[0]
    interfaces = [s for s in samples if s[0] == "interfaces"]
    assert len(interfaces[-1][2]) > 8000 and 1 <= len(interfaces) < 10
    assert len([s for s in samples if s[0] == "memory"]) >= 120
    assert agent.property("State") == "idle"


def test_top_without_an_agent(agent):
    assert "The agent is not running" in ctl(agent, "top", status=3)


def test_reader_that_leaves(running, agent):
    running()
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([CTL, "stats"], stdin=subprocess.DEVNULL, stdout=theirs, env=environment(agent))
    theirs.close()
    ours.close()
    wait_for(lambda: process.poll() is not None, "the end")
