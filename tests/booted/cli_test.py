# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: what the two command lines have in common. JSON is as its schema
says, no line is wider than the terminal, colours and pager follow one rule, exit statuses mean the same, GUIDs may
be shortened, and bash, zsh and fish complete."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
import unicodedata

import jsonschema
import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "component")]

from harness import DEADLINE, wait_for  # noqa: E402
from manager_test import agent, run, script  # noqa: E402, F401

SCHEMAS = {name: json.loads((HERE.parent.parent / f"docs/json/{name}.schema.json").read_text())
           for name in ("dcm-agentctl", "dcm-manager")}
NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


@pytest.fixture(scope="module")
def requests(agent, tmp_path_factory):  # noqa: F811
    """GUIDs of a request that succeeded, one that failed, and one whose job runs."""
    directory = tmp_path_factory.mktemp("scripts")
    guids = {}
    for name, text in (("good", "echo out\necho err >&2\n"), ("bad", "exit 3\n"), ("running", "echo begun\nexec sleep infinity\n")):
        path = directory / name
        path.write_text("#!/bin/sh\n" + text)
        guids[name] = run("dcm-manager", "run", agent, "run_script", "--script", str(path)).stdout.strip()
    run("dcm-manager", "name", agent, "web1")
    wait_for(lambda: [r["state"] for r in listed("dcm-manager", "requests")].count("REPLIED") == 2, "two replies")
    wait_for(lambda: [j["state"] for j in listed("dcm-agentctl", "jobs")] == ["running"], "a job")
    yield guids
    run("dcm-manager", "cancel", guids["running"])
    run("dcm-manager", "unname", agent)


def listed(program, *arguments):
    return json.loads(run(program, *arguments, "--json").stdout)


def validate(program, verb, value):
    schema = {**SCHEMAS[program], "$ref": f"#/$defs/{verb}"}
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(value)


def test_json_of_dcm_agentctl(requests):
    run("busctl", "call", "org.dcmagent.Agent1", "/org/dcmagent/Agent1", "org.dcmagent.Agent1.Manager", "Pause", "b", "false")
    run("dcm-agentctl", "resume")
    for verb, arguments in (("status", []), ("info", []), ("requests", []), ("jobs", []), ("stats", []), ("alerts", []), ("commands", []),
                            ("users", []), ("show", [requests["good"]]), ("show", [requests["running"]])):
        value = listed("dcm-agentctl", verb, *arguments)
        validate("dcm-agentctl", verb, value)
    assert {r["guid"]: (r["command"], r["return_code"]) for r in listed("dcm-agentctl", "requests")}[requests["bad"]] == (
        "run_script", 3)
    for arguments in (["doctor"], ["config", "--check"], ["config", "--effective"]):
        done = run("dcm-agentctl", *arguments, "--json", check=False)
        validate("dcm-agentctl", " ".join(arguments), json.loads(done.stdout))
    following = subprocess.Popen(["dcm-agentctl", "jobs", "--follow", "--json"], stdout=subprocess.PIPE, text=True)
    validate("dcm-agentctl", "jobs --follow", json.loads(following.stdout.readline()))
    following.terminate()
    following.wait()


def test_json_of_dcm_manager(agent, requests):  # noqa: F811
    for verb, arguments in (("agents", []), ("requests", []), ("show", [requests["good"]]), ("status", [requests["running"]]),
                            ("alerts", []), ("wait-agent", ["web1"])):
        validate("dcm-manager", verb, listed("dcm-manager", verb, *arguments))
    for line in run("dcm-manager", "log", "--json").stdout.splitlines():
        validate("dcm-manager", "log", json.loads(line))
    made = listed("dcm-manager", "enrol-token", "new", "--group=web")
    validate("dcm-manager", "enrol-token new", made)
    run("dcm-manager", "enrol-token", "revoke", made["id"])
    validate("dcm-manager", "enrol-token list", listed("dcm-manager", "enrol-token", "list"))
    validate("dcm-manager", "agents --waiting", listed("dcm-manager", "agents", "--waiting"))
    validate("dcm-manager", "run", listed("dcm-manager", "run", "web1", "heartbeat"))
    validate("dcm-manager", "run --wait", listed("dcm-manager", "run", "web1", "heartbeat", "--wait"))


def test_json_of_orders_to_several_agents(agent, requests, script):  # noqa: F811
    """A group is several agents, also if it has one: each line is as its schema says, of an order, of each end, and at last."""
    def lines(*arguments, code=0):
        done = run("dcm-manager", "run", "@cli-test", "--json", *arguments, check=False)
        assert done.returncode == code, done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        for line in found:
            validate("dcm-manager", "run, several agents", line)
        return found

    run("dcm-manager", "group", agent, "cli-test")
    meant = listed("dcm-manager", "run", "@cli-test", "--dry-run", "heartbeat")
    validate("dcm-manager", "run --dry-run", meant)
    assert [(row["id"], row["name"], row["group"], row["connected"]) for row in meant] == [(agent, "web1", "cli-test", True)]
    order, = lines("heartbeat")
    assert set(order) == {"agent", "name", "guid"} and order["agent"] == agent
    order, end, recap = lines("--wait", "heartbeat")
    assert end["guid"] == order["guid"] and end["reply"]["return_code"] == 0 and recap == {"succeeded": 1, "failed": 0, "unanswered": 0}
    order, end, recap = lines("--wait", "run_script", "--script", script("exit 3\n"), code=1)
    assert end["reply"]["return_code"] == 3 and recap == {"succeeded": 0, "failed": 1, "unanswered": 0}
    order, recap = lines("--wait", "--timeout=0.2", "run_script", "--script", script("exec sleep infinity\n"), code=2)
    assert recap == {"succeeded": 0, "failed": 0, "unanswered": 1}
    run("dcm-manager", "cancel", order["guid"])
    run("dcm-manager", "ungroup", agent)


class Terminal:
    """A program on a terminal of so many columns."""

    def __init__(self, *command, columns=80, lines=50, **environment):
        self.raw = b""
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "SYSTEMD_COLORS")}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**env, "LC_ALL": "C.UTF-8", "TERM": "xterm", "SYSTEMD_PAGER": "cat", **environment})
        os.close(theirs)

    def read(self, seconds=0.1):
        has_ended = self.process.poll() is not None  # asked first: it may write and end while nobody looks
        if select.select([self.ours], [], [], seconds)[0]:
            try:
                piece = os.read(self.ours, 65536)
            except OSError:
                return False
            self.raw += piece
            return bool(piece)
        return not has_ended

    def wait(self, text):
        deadline = time.monotonic() + DEADLINE
        while text not in self.raw:
            assert time.monotonic() < deadline, self.raw
            self.read()

    def write(self, text):
        os.write(self.ours, text)

    def end(self):
        deadline = time.monotonic() + DEADLINE
        while self.read():
            assert time.monotonic() < deadline, self.raw
        os.close(self.ours)
        self.status = self.process.wait()
        return self.raw.replace(b"\r\n", b"\n").decode()


def columns_of(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in re.sub("\x1b\\[[0-9;]*m", "", line))


def verbs_of(program):
    """As its help lists them; "" is the program itself."""
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return [[], *([line.split()[0]] for line in text.split("\n\n")[2].splitlines()[1:] if re.match("  [a-z]", line))]


HELP = {program: verbs_of(program) for program in ("dcm-agentctl", "dcm-manager")}
LISTS = [("dcm-agentctl", v) for v in ("requests", "jobs", "alerts", "commands", "users")] + [
    ("dcm-manager", v) for v in ("agents", "requests", "alerts")]


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_lists_fit_the_terminal(requests, columns):
    for program, verb in LISTS:
        text = Terminal(program, verb, columns=columns).end()
        for line in text.splitlines():
            assert columns_of(line) <= columns, (program, verb, line)
        plain = Terminal(program, verb, columns=columns, NO_COLOR="1").end()
        assert "\x1b" not in plain
        if verb == "requests":
            assert "\x1b[31m" in text, "a failed one is red"
            assert ("…" in plain) == (columns < 120), plain
    full = Terminal("dcm-agentctl", "requests", "--full", columns=columns).end()
    assert requests["good"] in full and "…" not in full


RULE = "[memory]\nstatistic = memory\nvalue = use\nabove = 0.001 %\nmessage = it is used, which is what it is there for\n"


@pytest.fixture(scope="module")
def data(agent, requests):  # noqa: F811
    """Each list has something in it."""
    rules = pathlib.Path("/etc/dcm-agent/alerts.conf")
    rules.write_text(RULE)
    run("systemctl", "reload", "dcm-agent")
    done = run("dcm-manager", "run", agent, "add_user", "--arg", "userId=width-user", "--arg", "administrator=true",
               "--wait", "--timeout", str(DEADLINE))
    assert done.returncode == 0, done
    wait_for(lambda: listed("dcm-agentctl", "alerts"), "an alert")
    yield requests
    rules.unlink()
    run("systemctl", "reload", "dcm-agent")


AS_NOBODY = [["status"], ["info"], ["requests"], ["jobs"], ["commands"], ["commands", "add_user"], ["users"], ["stats"],
             ["stats", "overview", "-n1"], ["doctor"], ["config", "--check"], ["config", "--effective"]]
AS_ROOT = [*AS_NOBODY, ["alerts"], ["show", "GOOD"], ["show", "BAD"]]
OF_MANAGER = [["agents"], ["requests"], ["alerts"], ["show", "GOOD"], ["status", "RUNNING"], ["log"]]


def fits(line, columns):
    """A word that is wider by itself, such as a GUID, cannot be broken: it has its line, perhaps behind a label, a key or
    the sign of a comment."""
    return columns_of(line) <= columns or re.fullmatch(r"(.{1,16}: |\S+ = |; |\s*)\S+", re.sub("\x1b\\[[0-9;]*m", "", line))


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("user", ["root", "nobody"])
def test_no_line_is_wider_than_the_terminal(data, user, columns):
    """Of no verb, with data, for both users; NO_COLOR is obeyed, and help fits 80 columns."""
    verbs = [("dcm-agentctl", v) for v in (AS_ROOT if user == "root" else AS_NOBODY)]
    if user == "root":
        verbs += [("dcm-manager", v) for v in OF_MANAGER]
    if columns >= 80:
        verbs += [(program, [*verb, "--help"]) for program in ("dcm-agentctl", "dcm-manager") for verb in HELP[program]]
    for program, verb in verbs:
        words = [data.get(word.lower(), word) for word in verb]
        terminal = Terminal(*(NOBODY if user == "nobody" else []), program, *words, columns=columns, NO_COLOR="1")
        text = terminal.end()
        assert text and "\x1b" not in text, (program, verb, text)
        assert "Permission denied" not in text and terminal.status in (0, 1), (program, verb, text)
        assert [line for line in text.splitlines() if not fits(line, columns)] == [], (program, verb)


def test_pipes_are_neither_cut_nor_coloured(requests):
    for program, verb in LISTS:
        text = run(program, verb).stdout
        assert "\x1b" not in text and "…" not in text
        assert "\x1b[" in subprocess.run([program, verb], capture_output=True, text=True, env={
            **os.environ, "SYSTEMD_COLORS": "1"}).stdout or verb in ("alerts", "users")
        bare = run(program, verb, "--no-legend").stdout
        assert len(bare.splitlines()) == len(text.splitlines()) - 1, "no titles, and no sentence of an empty list"


def test_pager(requests):
    page = Terminal("dcm-agentctl", "commands", lines=10, SYSTEMD_PAGER="less")
    page.wait(b"COMMAND")
    page.write(b"q")
    page.end()
    assert page.status == 0, "it was left early"
    assert "<" not in Terminal("dcm-agentctl", "commands", "--no-pager", SYSTEMD_PAGER="sed 's/^/</'").end()
    assert Terminal("dcm-agentctl", "commands", SYSTEMD_PAGER="sed 's/^/</'").end().startswith("<")
    assert "<" not in Terminal("dcm-agentctl", "commands", SYSTEMD_PAGER="sed 's/^/</'", TERM="dumb").end()


def test_exit_statuses(requests):
    for command, status, text in (
            (["dcm-agentctl", "show", requests["good"], "--csv"], 2, "show has no option --csv"),
            (["dcm-agentctl", "--refuse", "resume"], 2, "resume has no option --refuse"),
            (["dcm-agentctl", "nonsense"], 2, 'no verb "nonsense"'),
            (["dcm-agentctl", "show"], 2, "show needs GUID"),
            (["dcm-agentctl", "requests", "extra"], 2, 'requests takes no "extra"'),
            (["dcm-agentctl", "doctor", "extra"], 2, 'dcm-agentctl doctor takes no "extra"'),
            (["dcm-agentctl", "doctor", "--csv"], 2, "dcm-agentctl doctor: unrecognized option '--csv'"),
            (["dcm-agentctl", "-j", "config"], 2, "Give either --check [FILE] or --effective"),
            (["dcm-agentctl", "-j", "config", "--effective"], 0, ""),
            (["dcm-agentctl", "--effective", "--no-pager", "config"], 0, ""),
            (["dcm-agentctl", "--no-pager", "doctor", "--version"], 0, ""),
            (["dcm-agentctl", "--effective", "config", "extra"], 2, '--effective takes no "extra"'),
            (["dcm-agentctl", "seal-token", "nonsense"], 2, "the key is one of host, tpm2, auto"),
            (["dcm-agentctl", "requests", "--since", "never"], 2, "Not a time: never"),
            (["dcm-agentctl", "show", "no-such-request"], 1, "There is no request"),
            ([*NOBODY, "dcm-agentctl", "show", requests["good"]], 4, "Permission denied"),
            ([*NOBODY, "dcm-agentctl", "output", requests["good"]], 4, "Permission denied"),
            ([*NOBODY, "dcm-agentctl", "seal-token", "host"], 4, "only root"),
            ([*NOBODY, "dcm-agentctl", "alerts"], 4, "Permission denied"),
            ([*NOBODY, "dcm-agentctl", "requests"], 0, ""),
            (["dcm-manager", "show", "no-such-request"], 253, ""),
            ([*NOBODY, "dcm-manager", "agents"], 252, "root")):
        done = run(*command, check=False)
        assert done.returncode == status and text in done.stderr, (command, done)


def test_beginning_of_a_guid(requests):
    good = requests["good"]
    assert listed("dcm-agentctl", "show", good[:8])["guid"] == good
    assert listed("dcm-manager", "show", good[:8])["guid"] == good
    assert run("dcm-agentctl", "output", good[:8]).stdout == "out\n"
    for program in ("dcm-agentctl", "dcm-manager"):
        for text in ("same-1", "same-12", "same-2"):
            run("dcm-manager", "run", "web1", "heartbeat", "--wait", "--guid", text)
        assert listed(program, "show", "same-1")["guid"] == "same-1", "a whole one goes first"
        several = run(program, "show", "same-", check=False)
        assert several.returncode not in (0, 2) and "begin with" in several.stderr


def test_since(requests):
    assert listed("dcm-agentctl", "requests", "--since=-1h")
    assert listed("dcm-agentctl", "requests", "--since=now") == []
    assert listed("dcm-manager", "requests", "--since", "5min ago")
    assert len(listed("dcm-agentctl", "requests", "-n", "1")) == 1
    assert len(listed("dcm-agentctl", "requests", "--all")) >= 3


def test_follow(agent, script):  # noqa: F811
    gate = pathlib.Path("/tmp/dcm-test-gate")
    gate.unlink(missing_ok=True)
    guid = run("dcm-manager", "run", agent, "run_script", "--script",
               script(f"echo one\nuntil [ -e {gate} ]; do sleep 0.1; done\necho two\nexit 4\n")).stdout.strip()
    wait_for(lambda: run("dcm-agentctl", "output", guid, check=False).stdout == "one\n", "the first line")
    show = subprocess.Popen(["dcm-agentctl", "show", "--follow", "--json", guid], stdout=subprocess.PIPE, text=True)
    output = subprocess.Popen(["dcm-agentctl", "output", "--follow", guid], stdout=subprocess.PIPE, text=True)
    assert output.stdout.readline() == "one\n" and show.poll() is None
    gate.touch()
    assert output.communicate(timeout=DEADLINE)[0] == "two\n" and output.returncode == 0
    assert json.loads(show.communicate(timeout=DEADLINE)[0])["reply"]["return_code"] == 4
    gate.unlink()


def test_run_that_is_not_waited_for_to_its_end(agent, script):  # noqa: F811
    done = run("dcm-manager", "run", agent, "run_script", "--script", script("sleep 300\n"), "--wait", "--timeout", "0.2",
               check=False)
    assert done.returncode == 250
    guid = re.search("dcm-manager show ([0-9a-f-]{36})", done.stderr)[1]
    assert listed("dcm-manager", "show", guid)["guid"] == guid
    run("dcm-manager", "cancel", guid)


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             ". /usr/share/bash-completion/completions/dcm-agentctl; . /usr/share/bash-completion/completions/dcm-manager"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -d /tmp/dcm-test-zcompdump"),
    "fish": (["fish", "-i"], "true"),
}


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_completion(requests, shell):
    """A word is completed when a tab is typed: verbs, options of the verb, and what the running programs know."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    command, setup = SHELLS[shell]
    terminal = Terminal("setsid", "--ctty", "--wait", *command, columns=200, HOME="/tmp")
    terminal.write(f"{setup}; echo set-''up\n".encode())
    terminal.wait(b"set-up")
    for typed, completed in ((b"dcm-agentctl reque\t", b"requests"), (b"dcm-agentctl requests --no-l\t", b"--no-legend"),
                             (b"dcm-agentctl config --ch\t", b"--check"), (b"dcm-agentctl --json doct\t", b"doctor"),
                             (b"dcm-agentctl commands get_private\t", b"get_private_ip_address"),
                             (f"dcm-agentctl show {requests['good'][:13]}\t".encode(), requests["good"].encode()),
                             (b"dcm-manager wait-\t", b"wait-agent"),
                             (f"dcm-manager show {requests['bad'][:13]}\t".encode(), requests["bad"].encode())):
        before = len(terminal.raw)
        terminal.write(typed)
        deadline = time.monotonic() + DEADLINE
        while completed not in re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()=>][B0]?|\r|\x08", b"", terminal.raw[before:]):
            assert time.monotonic() < deadline, (typed, terminal.raw[before:])
            terminal.read()
        terminal.write(b"\x15")  # the line is given up
    terminal.process.kill()
    terminal.end()


def test_info(requests):
    """Which agent this is, also where it does not run; and what the manager did."""
    value = listed("dcm-agentctl", "info")
    assert value["running"] and value["user"] == "dcm-agent" and value["state"] == "connected"
    assert value["pid"] == int(run("systemctl", "show", "-P", "MainPID", "dcm-agent").stdout) and value["since"] > 10**15
    assert value["requests"]["processed"] >= 1 and value["requests"]["being_processed"] >= 1
    text = run("dcm-agentctl", "info").stdout
    assert f"process {value['pid']}" in text and value["agent_id"] in text and "being replied to" in text
    run("systemctl", "stop", "dcm-agent")
    try:
        done = run("dcm-agentctl", "info", check=False)
        assert done.returncode == 3 and "not running" in done.stdout and "systemctl enable --now dcm-agent" in done.stdout
        done = run("dcm-agentctl", "info", "--json", check=False)
        value = json.loads(done.stdout)
        validate("dcm-agentctl", "info", value)
        assert done.returncode == 3 and not value["running"] and value["pid"] == 0 and "systemctl" in value["reason"]
    finally:
        run("systemctl", "start", "dcm-agent")
        run("dcm-manager", "wait-agent", "--timeout=60", "web1")  # the others' requests are cancelled through it
