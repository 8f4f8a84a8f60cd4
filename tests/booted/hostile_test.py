# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: managers, files of commands.d, and hooks of the site that are hostile or careless. Whatever they
are, an order is answered once and truly, its job runs at most once, and nothing else is touched."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from agent_test import (manager, reply_to, run, script_arguments, show, unit_of, wait_begun,  # noqa: F401
                        wait_for)
from commands_test import (COMMANDS, ETC, SCRIPTS, SHOW, add, do, error_of, hook, load,  # noqa: F401
                           nothing_is_left, order)

TYPES = ("string", "boolean", "integer", "number", "base64", "base64text", "list", "object")


def answers(manager, guids):
    """What each of them is answered, acknowledged."""
    found = {}

    def all_answered():
        for m in manager.received:
            if m.get("request_id") in guids and m["type"] in ("REPLY", "NACK") and m["request_id"] not in found:
                found[m["request_id"]] = m
                if m["type"] == "REPLY":
                    manager.ack(m)
        return len(found) == len(guids)

    wait_for(all_answered, "all answers")
    return found


def test_values_of_every_kind(manager):
    """Each of them is answered: done with what was given, or refused by the argument's name."""
    add("every", "[command]\nhelp = x\n" + "".join(f"[argument {t}]\ntype = {t}\n" for t in TYPES if t != "list") +
        "[argument list]\ntype = list\n", SHOW)
    add("everyjson", "[command]\nhelp = x\ninput = json\noutput = json\nreply_type = x\n" +
        "".join(f"[argument {t}]\ntype = {t}\n" for t in TYPES), "#!/bin/sh\ncat\n")
    load(manager)
    deep = []
    for _ in range(13):
        deep = [{"a": deep}]
    values = [None, True, False, 0, -1, 2**63 - 1, -2**63, 2**63, 2**200, 0.5, -0.0, 1e308, float("nan"), float("inf"),
              "", " ", "-rf", "--", "a\0b", "a\nb", "\x1b[2J\x7f", "\ud800", "\udfff\ud800", "\uffff", "\ufdd0",
              "x" * 200_000, "AA==", "A", "=", "AAEC\n", "/w==", "wYA=", [], [[]], [None], ["a\0"], ["x"] * 257,
              ["y" * 70_000] * 2, ["\ud800"], ["\uffff"], {}, {"": {}}, {"a\0b": 1}, {"a": deep}, {"\ud800": "\udc00"},
              {"\uffff": "\uffff"}, "%n$HOME${X}", "1e999", "0x10", " 5", "5 ", "+5", "-", "NaN", "TRUE", "oN", "00"]
    given = {order(manager, command, **{t: value}): (command, t, value)
             for command in ("every", "everyjson") for value in values for t in TYPES}
    n_done = 0
    for guid, m in answers(manager, given).items():
        command, t, value = given[guid]
        assert m["type"] == "REPLY", (given[guid], m)
        told = error_of(m["payload"])
        if m["payload"]["return_code"] != 0:
            assert (f"The argument '{t}' " in told or "Too many arguments" in told or
                    "character that D-Bus does not accept" in told and {"\\uffff", "\\ufdd0"} &
                    set(re.findall(r"\\u....", json.dumps(value)))), given[guid]
        n_done += m["payload"]["return_code"] == 0
    assert n_done > 150
    assert show("dcm-agent.service", "NRestarts") == "0"
    assert do(manager, "every", string="after")["message"] == "<after><><><><><><>"


CHANGES = {"an argument more": "dry_run = yes\n[argument more]\nmandatory = yes\n", "no dry run": "",
           "broken": "kind = short\n",
           "immediate": "kind = immediate\nmessage = m\n[effect]\nterminate = yes\n"}


@pytest.mark.parametrize("change", CHANGES)
def test_file_that_changes_while_its_job_runs(manager, change):
    """An agent that is restarted then could not begin the job; but it has begun, and its end is told truly."""
    gate = pathlib.Path("/run/dcm-test-change")
    os.mkfifo(gate)
    add("changes", "[command]\nhelp = x\nuser = root\ndry_run = yes\n[argument a]\n",
        f"#!/bin/bash\necho begun\nread -r line <{gate}\necho \"$line\"\nexit 7\n")
    load(manager)
    guid = order(manager, "changes", a="x", dry_run=True)
    wait_begun(guid)
    add("changes", "[command]\nhelp = x\nuser = root\n" + CHANGES[change])
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(len(manager.offers))
    wait_for(lambda: "Connected" in show("dcm-agent.service", "StatusText"), "the agent")
    gate.write_text("end\n")
    gate.unlink()
    reply = reply_to(manager, guid)
    assert (reply["return_code"], reply["message"]) == (7, "begun\nend\n"), reply


@pytest.mark.parametrize("claimed", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_start_that_was_cut_off_and_is_forbidden_now(manager, whole, claimed):
    """An executor that ended on the way has left a directory; by now the policy forbids the command. It was not executed,
    and that is what is told, unless dcm-run has begun."""
    guid = f"cut-off-{whole}-{claimed}"
    directory = pathlib.Path("/var/lib/dcm-jobs") / guid
    add("forbidden", "[command]\nhelp = x\n", "#!/bin/sh\ntouch /run/dcm-test-forbidden\n")
    load(manager)
    do(manager, "run_script", **script_arguments("#!/bin/sh\n"))  # so that the executor has its directory
    directory.mkdir(0o750)
    shutil.chown(directory, group="dcm-agent")
    for name in ("script", "stdout", "stderr", "log", "exit") if whole or claimed else ("script",):
        (directory / name).touch(0o640)
        shutil.chown(directory / name, group="dcm-agent")
    if claimed:
        (directory / "exit").write_text("DCM_EXIT_RECORD=1\n")
    (ETC / "policy.conf.d/x.conf").write_text("[policy]\ndeny_commands = forbidden\n")
    reply = reply_to(manager, order(manager, "forbidden", guid))
    told = error_of(reply)
    assert reply["return_code"] == 1 and not pathlib.Path("/run/dcm-test-forbidden").exists()
    assert ("the state of the execution was lost" if claimed else "the policy of this machine forbids it") in told, reply


def test_character_that_the_bus_does_not_take(manager):
    """In a request's id, its command, or what its job wrote: nothing of it keeps others from being told, or done."""
    bad = "\uffff"
    order(manager, "no such " + bad)
    manager.request("id " + bad, "run_script", script_arguments("#!/bin/sh\n"))
    done = do(manager, "run_script", **script_arguments("#!/bin/sh\nprintf '\\357\\277\\277'\n", stream=True))
    assert done["message"] == bad
    refused = do(manager, "run_script", **script_arguments("#!/bin/sh\n", arguments=[bad]))
    assert "character that D-Bus does not accept" in error_of(refused)
    assert do(manager, "run_script", **script_arguments("#!/bin/sh\necho on\n"))["message"] == "on\n"
    listed = json.loads(run("dcm-agentctl", "--json", "requests"))
    assert any("no such \ufffd" in json.dumps(r, ensure_ascii=False) for r in listed)
    for r in listed:
        run("dcm-agentctl", "--json", "show", r["guid"])
    add("help", f"[command]\nhelp = {bad}\n")
    add("key", f"[command]\nhelp = x\n{bad} = x\n")
    run("systemctl", "reload", "dcm-agent.service")
    told = subprocess.run(["dcm-agentctl", "commands"], capture_output=True, text=True, check=True).stderr
    assert "help.conf defines no command" in told and "key.conf defines no command" in told


def test_commands_that_include_many_others(manager):
    """Each of them is looked at for each job; a bound keeps a careless file from being endless."""
    for i in range(4):
        (COMMANDS / f"inc{i}.conf").write_text(f"[command]\nhelp = x\nincludes = {f'inc{i + 1} ' * 63}\n")
    add("inc4", "[command]\nhelp = x\n", "#!/bin/sh\necho done\n")
    for name in ("inc0", "inc1", "inc2", "inc3"):
        shutil.copy(SCRIPTS / "inc4", SCRIPTS / name)
    load(manager)
    assert do(manager, "inc3")["message"] == "done\n"
    for name in ("inc0", "inc1", "inc2"):
        assert "commands include more than 64 others" in error_of(do(manager, name))
    (COMMANDS / "inc0.conf").write_text("[command]\nhelp = x\nincludes = inc0\n")
    assert "include each other more than 4 levels deep, or in a cycle" in error_of(do(manager, "inc0"))


def test_features_that_need_something(manager):
    """The manager is told of them while it is there, as the agent saw it when it was reloaded."""
    program = pathlib.Path("/usr/local/sbin/mkfs.dcm-test")
    add("feature", "[command]\nhelp = x\n[features]\nalways = 1\nformat = true\n[features_need]\nformat = sh mkfs.dcm-test\n",
        "#!/bin/sh\n")
    load(manager)
    assert manager.offers[-1]["features"]["always"] == "1" and "format" not in manager.offers[-1]["features"]
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    run("systemctl", "reload", "dcm-agent.service")
    wait_for(lambda: manager.offers[-1]["features"].get("format") is True, "the manager to be told")
    program.unlink()
    run("systemctl", "reload", "dcm-agent.service")
    wait_for(lambda: "format" not in manager.offers[-1]["features"], "the manager to be told")


# --- hooks --------------------------------------------------------------------------------------------

# What .pre is, and what becomes of the job: return code, output, and a part of the error message
HOOKS = {
    "fails": ("exit 3", 3, "", ""),
    "255": ("exit 255", 255, "", ""),
    "killed": ("kill -KILL $$", -9, "", "ended by signal 9 (KILL)"),
    "terminated": ("kill -TERM $$", -15, "", "ended by signal 15 (TERM)"),
    "leaves processes": ("setsid sleep infinity & echo pre", 0, "pre\nscript x\n", "left 1 process behind, ended with it"),
    "holds the pipes": ("(trap '' PIPE; while :; do echo more; sleep 0.01; done) & true", 0, None, "left"),
    "reads the input": ("cat >/dev/null", 0, "script x\n", ""),
    "closes everything": ("exec <&- >&- 2>&-; true", 0, "script x\n", ""),
    "changes itself": ("echo 'exit 9' >/run/dcm-job/script; rm -f /run/dcm-job/script; true", 0, "script x\n", None),
    "names its job": ("echo END=1 >/run/dcm-job/exit; echo $DCM_COMMAND${DCM_STATUS-}", 0, "hooks\nscript x\n", None),
}


@pytest.mark.parametrize("user", ["dcm", "root"])
@pytest.mark.parametrize("name", HOOKS)
def test_hooks_that_misbehave(manager, name, user):
    body, code, output, told = HOOKS[name]
    add("hooks", f"[command]\nhelp = x\nuser = {user}\ninput = json\n[argument a]\n",
        "#!/bin/bash\necho \"script $(grep -o '\"x\"' | tr -d '\"')\"\n")
    hook("hooks.pre", f"#!/bin/bash\n{body}\n")
    hook("hooks.post", "#!/bin/bash\necho post >&2\n")
    load(manager)
    guid = order(manager, "hooks", a="x")
    reply = reply_to(manager, guid)
    assert reply["return_code"] == code, reply
    assert output is None or reply["message"] == output, reply
    assert ("post\n" in reply["error_message"]) == (code == 0), reply
    assert told is None or told in reply["error_message"], reply
    wait_for(lambda: show(unit_of(guid), "LoadState") == "not-found", "the release")


def test_hook_that_fills_its_output(manager):
    """The ends of all of it are kept, as of one script; and how many bytes there were."""
    add("fills", "[command]\nhelp = x\n[limits]\noutput_max = 128K\n", "#!/bin/sh\necho script\n")
    hook("fills.pre", "#!/bin/sh\necho first\nhead -c 3000000 /dev/zero | tr '\\0' a\n")
    hook("fills.post", "#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' b\necho last\n")
    load(manager)
    reply = do(manager, "fills")
    assert reply["return_code"] == 0 and reply["message"].startswith("first\naaa")
    assert reply["message"].endswith("bbblast\n") and "script" not in reply["message"]


def test_hook_that_hangs_has_the_time_of_the_job(manager):
    """Of all three together; .post, when the script is done, ends the job as one that took too long."""
    add("late", "[command]\nhelp = x\n[limits]\ntimeout = 1\n", "#!/bin/sh\necho script\n")
    load(manager)
    hook("late.pre", "#!/bin/sh\nexec sleep infinity\n")
    reply = do(manager, "late")
    assert reply["return_code"] == -124 and reply["message"] == "" and "time limit" in reply["error_message"]
    (SCRIPTS / "late.pre").unlink()
    hook("late.post", "#!/bin/sh\nexec sleep infinity\n")
    reply = do(manager, "late")
    assert reply["return_code"] == -124 and reply["message"] == "script\n" and "time limit" in reply["error_message"]


SPOILED = {
    "others can write it": (lambda p: p.chmod(0o757), "group or others can write it"),
    "its group can write it": (lambda p: p.chmod(0o775), "group or others can write it"),
    "of another user": (lambda p: shutil.chown(p, "dcm"), "root does not own it"),
    "of the agent": (lambda p: shutil.chown(p, "dcm-agent"), "root does not own it"),
    "directory": (lambda p: (p.unlink(), p.mkdir()), "it is not a regular file"),
    "fifo": (lambda p: (p.unlink(), os.mkfifo(p)), "it is not a regular file"),
    "device": (lambda p: (p.unlink(), p.symlink_to("/dev/zero")), "it is not a regular file"),
    "socket": (lambda p: (p.unlink(), p.symlink_to("/run/dbus/system_bus_socket")), "No such device or address"),
    "link to nothing": (lambda p: (p.unlink(), p.symlink_to("/nowhere")), "No such file or directory"),
    "link to itself": (lambda p: (p.unlink(), p.symlink_to(p)), "Too many levels of symbolic links"),
    "link to theirs": (lambda p: (p.unlink(), p.symlink_to("/srv/theirs")), "root does not own it"),
    "huge": (lambda p: os.truncate(p, 1 << 40), "the script is too large"),
    "not to be executed": (lambda p: p.chmod(0o600), None),
    "link to null": (lambda p: (p.unlink(), p.symlink_to("/dev/null")), None),
    "empty": (lambda p: os.truncate(p, 0), None),
}


@pytest.mark.parametrize("suffix", ["", ".pre", ".post"])
@pytest.mark.parametrize("name", SPOILED)
def test_script_or_hook_that_others_could_have_written(manager, name, suffix):
    """Nothing runs then; a hook whose mode is not that of a program runs all the same, from its copy."""
    spoil, why = SPOILED[name]
    theirs = pathlib.Path("/srv/theirs")
    theirs.write_text("#!/bin/sh\necho theirs\n")
    shutil.chown(theirs, "dcm")
    add("spoiled", "[command]\nhelp = x\n", "#!/bin/sh\necho ran\n")
    if suffix:
        hook(f"spoiled{suffix}", f"#!/bin/sh\necho ran{suffix}\n")
    load(manager)
    path = SCRIPTS / f"spoiled{suffix}"
    spoil(path)
    guid = order(manager, "spoiled")
    reply = reply_to(manager, guid)
    if why:
        assert reply["return_code"] == 1 and why in error_of(reply), reply
        assert not pathlib.Path("/var/lib/dcm-jobs", guid).exists()
    elif suffix or name == "not to be executed":
        assert reply["return_code"] == 0 and "ran\n" in reply["message"], reply
        assert ("ran" + suffix in reply["message"].split("\n")) == (not suffix or name == "not to be executed")
    else:
        assert "is masked" in error_of(reply)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
        path.touch()
    theirs.unlink()


def test_hook_that_comes_and_goes_while_its_job_runs(manager):
    """The job has what was there when it started."""
    gate = pathlib.Path("/run/dcm-test-hook")
    os.mkfifo(gate)
    gate.chmod(0o666)
    add("gone", "[command]\nhelp = x\n", f"#!/bin/bash\nread -r line <{gate}\necho \"$line\"\n")
    hook("gone.post", "#!/bin/sh\necho post\n")
    load(manager)
    first = order(manager, "gone")
    wait_begun(first)
    (SCRIPTS / "gone.post").unlink()
    hook("gone.pre", "#!/bin/sh\nexit 9\n")
    for unit in ("dcm-agent.service", "dcm-agent-executor.service"):
        run("systemctl", "kill", "-s", "KILL", unit, check=False)
    gate.write_text("one\n")
    assert reply_to(manager, first)["message"] == "one\npost\n"
    gate.unlink()
    assert do(manager, "gone")["return_code"] == 9


# --- what a script says is its reply ------------------------------------------------------------------

DEEP = b'{"reply_object":' + b"[" * 29 + b"]" * 29 + b"}"
NO_REPLY = "The output of the command is not a valid reply object."
# Output of a script that ends with 0: return code, reply type, reply object; the error that it is none of this
REPLIES = {
    b'{"return_code": 0, "reply_type": "t", "reply_object": {"a": null}}': (0, "t", {"a": None}, ""),
    b'{"return_code": 7}': (7, "void", None, ""),
    b'{"return_code": 7.0}': (7, "void", None, ""),
    b'{"return_code": 99999999999999999999}': (2**31 - 1, "void", None, ""),
    b'{"return_code": -9223372036854775808}': (-2**31, "void", None, ""),
    b'{"return_code": null, "reply_object": 0}': (0, "object", 0, ""),
    b'{"return_code": "0"}': (1, "void", None, NO_REPLY),
    b'{"return_code": true}': (1, "void", None, NO_REPLY),
    b'{"return_code": 0.5}': (1, "void", None, NO_REPLY),
    b'{"return_code": 1e300}': (1, "void", None, NO_REPLY),
    b'{"return_code": NaN}': (1, "void", None, NO_REPLY),
    b'{"reply_type": {"a": 1}, "reply_object": [1]}': (0, "object", [1], ""),
    b'{"reply_type": "a\\u0000b", "reply_object": false}': (0, "object", False, ""),
    b'{"message": ["x"], "error_message": 5}': (0, "void", None, ""),
    b'{"message": "\\ud800\\uffff"}': (0, "void", None, ""),
    b'{"reply_object": "\xff"}': (0, "object", "\ufffd", ""),  # output is text: it is mended before it is looked at
    b'{"reply_object": "a\0b"}': (0, "object", "a\ufffdb", ""),
    b'{"type": "NACK", "request_id": "x", "payload": {}}': (0, "void", None, ""),
    b'{"reply_object": 1}{"reply_object": 2}': (1, "void", None, NO_REPLY),
    b'{"reply_object": 1} // note': (1, "void", None, NO_REPLY),
    b"{'reply_object': 1}": (1, "void", None, NO_REPLY),
    b'\xef\xbb\xbf{}': (1, "void", None, NO_REPLY),
    b'[]': (1, "void", None, NO_REPLY),
    b'': (1, "void", None, NO_REPLY),
    b'null': (1, "void", None, NO_REPLY),
    DEEP: (0, "object", json.loads(DEEP)["reply_object"], ""),
    b'{"reply_object":' + b"[" * 100_000: (1, "void", None, NO_REPLY),
}


def test_reply_of_a_script(manager):
    texts = SCRIPTS / "texts"
    add("says", "[command]\nhelp = x\nuser = root\noutput = reply\n[argument n]\n", f"#!/bin/sh\ncat {texts}/$1\n")
    load(manager)
    texts.mkdir()
    try:
        for i, output in enumerate(REPLIES):
            (texts / str(i)).write_bytes(output)
        given = {order(manager, "says", n=i): output for i, output in enumerate(REPLIES)}
        for guid, m in answers(manager, given).items():
            code, kind, value, told = REPLIES[given[guid]]
            reply = m["payload"]
            assert (reply["return_code"], reply["reply_type"]) == (code, kind), (given[guid][:80], reply)
            assert reply["reply_object"] == value and told in reply["error_message"], (given[guid][:80], reply)
        # as much as may be, of what takes most room on the wire
        (texts / "0").write_bytes(b'{"message": "' + b"\\u0001" * 170_000 + b'"}')
        assert do(manager, "says", n=0)["message"] == "\1" * 170_000
        (texts / "0").write_bytes(b'{"reply_object": [' + b"0," * 300_000 + b"0]}")
        assert do(manager, "says", n=0)["reply_object"] == [0] * 300_001
        (texts / "0").write_bytes(b'{"reply_object": [' + b"0," * 500_000 + b"0]}")
        assert NO_REPLY in do(manager, "says", n=0)["error_message"], "it would take too much memory"
        (texts / "0").write_bytes(b'{"reply_object": "' + b"x" * (2 << 20) + b'"}')
        assert NO_REPLY in do(manager, "says", n=0)["error_message"], "the middle of it is not kept"
    finally:
        shutil.rmtree(texts)
