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
    assert "include each other in a cycle" in error_of(do(manager, "inc0"))


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
