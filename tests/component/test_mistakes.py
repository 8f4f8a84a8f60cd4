# SPDX-License-Identifier: Apache-2.0
"""A mistake in the files of this machine is said wherever people look: in the journal, in the status line, on D-Bus, in
dcm-agentctl status and in the doctor, each time with file and line; and it is gone when a reload finds it mended."""

import json
import os
import subprocess
import urllib.parse

import pytest

from harness import BUILD, busctl, wait_for

MANAGER = ["org.dcmagent.Agent1", "/org/dcmagent/Agent1", "org.dcmagent.Agent1.Manager"]


def problems(agent):
    return json.loads(busctl(agent.bus, "get-property", *MANAGER, "Problems"))["data"]


def run(agent, *command):
    """Exit status and standard output; the main loop runs meanwhile, for the manager's sake."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env={**os.environ, "LC_ALL": "C.UTF-8",
                                               "DBUS_SYSTEM_BUS_ADDRESS": agent.bus.address})
    wait_for(lambda: process.poll() is not None, command[0])
    return process.returncode, process.stdout.read() + process.stderr.read()


def ctl(agent, *arguments):
    agent.wait_name()
    return run(agent, BUILD / "src/dcm-agentctl/dcm-agentctl", *arguments)


def doctor(agent, *arguments):
    agent.wait_name()
    agent.directory.chmod(0o755)
    return run(agent, BUILD / "src/dcm-doctor/dcm-doctor", f"--config={agent.config}",
               f"--config-directory={agent.dropins}", f"--state-directory={agent.state}",
               f"--cloud-socket={agent.directory}/cloud", f"--commands-directory={agent.commands}",
               f"--alerts={agent.directory}/alerts.conf", f"--alerts-directory={agent.directory}/alerts.conf.d",
               f"--policy={agent.directory}/policy.conf", f"--policy-directory={agent.directory}/policy.conf.d",
               *arguments)


UNKNOWN = [
    ("[workers]\ncuont = 3\n", 2, "there is no key cuont in [workers] (is count in [workers] meant?)"),
    ("\n[worker]\ncount = 3\n", 2, "there is no section [worker] (is [workers] meant?)"),
    ("[storage]\nlevel = debug\n", 2, "there is no key level in [storage] (it belongs to [logging])"),
    ("count = 3\n", 1, "count stands before the first [section] (it belongs to [workers])"),
    ("[workers]\ncount = many\n", 2, "the value of count in [workers] is not valid: it must be a whole number from 1 to 1000"),
    ("[logging]\nlevel = loud\n", 2, "the value of level in [logging] is not valid: it must be emerg, "
     "alert, crit, err, warning, notice, info or debug"),
    ("[cloud]\nmetadata_url = ftp://a\n", 2, "the value of metadata_url in [cloud] is not valid: it must be an address that begins "
     "with http://"),
    ("[workers]\ncount\n", 2, "the line is not understood: it is no [section], no key = value and no comment"),
]


@pytest.mark.parametrize("text, line, problem", UNKNOWN)
def test_mistake_is_said_everywhere_until_it_is_mended(agent, manager, text, line, problem):
    agent.configure(manager.url())
    dropin = agent.dropins / "site.conf"
    dropin.write_text(text)
    agent.start()
    agent.wait_notify("READY=1")
    manager.wait_offer()
    agent.wait_notify("1 problem in the configuration, see dcm-agentctl status")
    wait_for(lambda: agent.property("State") == "connected", "the connection")
    assert problems(agent) == [[str(dropin), line, problem]]
    assert agent.property("StatusText").endswith("; 1 problem in the configuration, see dcm-agentctl status")
    agent.wait_log(f"{dropin}:{line}: {problem}; ignored")
    status, output = ctl(agent, "status")
    assert status == 0 and f"Problems: 1 in the configuration:\n  {dropin}:{line}: {problem}\n" in output
    assert f"{dropin}:{line}: {problem}" in doctor(agent)[1]
    dropin.write_text("[workers]\ncount = 3\n")
    agent.call("Reload")
    assert problems(agent) == [] and "problem" not in agent.property("StatusText")
    assert "Problems" not in ctl(agent, "status")[1]
    assert problem not in doctor(agent)[1]


@pytest.mark.parametrize("text, line, problem", [
    ("[connection]\npins = x\n", 2, "there is no key pins in [connection] (is pin in [connection] meant?)"),
    ("[Connection]\nca_cert = x\n", 2, "there is no key ca_cert in [Connection] (it belongs to [connection])"),
    ("[connection]\nallow_unknown_cert = no\n", 2,
     "there is no key allow_unknown_cert in [connection] (is allow_unknown_certs in [connection] meant?)"),
    ("[connection]\nallow_unknown_certs = never\n", 2, "the value of allow_unknown_certs in [connection] is not valid: it must be true or false"),
])
def test_mistake_that_may_mean_less_security_keeps_it_from_connecting(agent, manager, text, line, problem):
    agent.configure(manager.url())
    dropin = agent.dropins / "site.conf"
    dropin.write_text(text)
    agent.start()
    agent.wait_notify("READY=1")
    agent.wait_notify(f"STATUS=Not connecting: {dropin}:{line}: {problem}")
    assert agent.property("State") == "idle" and [str(dropin), line, problem] in problems(agent)
    status, output = doctor(agent)
    assert status == 1 and f"Not connecting: {dropin}:{line}: {problem}" in output
    dropin.unlink()
    agent.call("Reload")
    manager.wait_offer()
    assert not problems(agent)


def test_keys_of_the_python_agent_are_no_mistakes(agent, manager):
    agent.configure(manager.url(), storage={"dbfile": "/dcm/secure/agentdb.sql"}, system={"user": "dcm"},
                    docker={"ca_cert": "x"}, plugin={"configfile": "etc/plugin.conf"})
    agent.start()
    agent.wait_notify("READY=1")
    manager.wait_offer()
    assert not problems(agent) and "ignored" not in agent.log.read_text()


@pytest.mark.parametrize("text, mistakes", [
    ("[full]\nstatistic = memroy\nvalue = use\nabove = 1\n",
     [(2, "the value of statistic in [full] is not valid")]),
    ("[full]\nstatistic = memory\nvalue = use\nabvoe = 90 %\n",
     [(4, "there is no key abvoe in [full]"),
      (2, "[full] is not a valid rule: above or below needs a number in the unit of the value")]),
    ("[full]\nstatistic = memory\nvalue = usage\nabove = 90 %\n",
     [(3, "[full] is not a valid rule: this statistic has no value usage; it has total, "
          "free, available, used, cache, swap-total, swap-used, use")]),
])
def test_mistake_in_the_alerts(agent, manager, text, mistakes):
    agent.configure(manager.url())
    dropins = agent.directory / "alerts.conf.d"
    dropins.mkdir()
    (dropins / "site.conf").write_text(text)
    agent.start()
    agent.wait_notify("READY=1")
    agent.wait_notify(f"{len(mistakes)} problem{'s' * (len(mistakes) > 1)} in the configuration")
    assert problems(agent) == [[f"{dropins}/site.conf", *m] for m in mistakes]
    output, found = ctl(agent, "status")[1], doctor(agent)[1]
    for line, mistake in mistakes:
        agent.wait_log(f"{dropins}/site.conf:{line}: {mistake}; ignored")
        assert f"{dropins}/site.conf:{line}: {mistake}" in output
        assert f"{dropins}/site.conf:{line}: {mistake}" in found


def test_mistake_in_the_policy_is_said_without_a_reload(agent, manager):
    """The executor reads it for each job; so the agent looks whenever it changes, drop-ins included."""
    agent.configure(manager.url())
    agent.start()
    agent.wait_notify("READY=1")
    manager.wait_offer()
    policy, dropins = agent.directory / "policy.conf", agent.directory / "policy.conf.d"
    policy.write_text("[policy]\nallow_script = no\nallow_users = dcm\n[limits]\ntimeout = 1h\n")
    mistakes = [[str(policy), 2, "there is no key allow_script in [policy]"],
                [str(policy), 5, "the value of timeout in [limits] is not valid"]]
    wait_for(lambda: problems(agent) == mistakes, "the mistakes")
    agent.wait_notify("; no job is allowed, as the policy is not valid; 2 problems in the configuration")
    agent.wait_log(f"{policy}:2: there is no key allow_script in [policy]; the policy is not valid, so no job is allowed")
    status, output = doctor(agent)
    assert status == 1 and f"{policy}:5: the value of timeout in [limits] is not valid; the policy is not valid" in output
    policy.write_text("[policy]\nallow_scripts = no\n")
    wait_for(lambda: not problems(agent), "that it is mended")
    dropins.mkdir()
    (dropins / "site.conf").write_text("[polcy]\nallow_scripts = no\n")
    mistake = [[f"{dropins}/site.conf", 2, "there is no key allow_scripts in [polcy]"]]
    wait_for(lambda: problems(agent) == mistake, "the mistake of the drop-in")
    (dropins / "site.conf").unlink()
    wait_for(lambda: not problems(agent), "that it is gone")
    dropins.rmdir()
    dropins.mkdir()
    (dropins / "new.conf").write_text("nonsense\n")
    wait_for(lambda: len(problems(agent)) == 1, "the mistake in the new directory")
    wait_for(lambda: "policy" in agent.property("StatusText"), "the status")


def test_file_that_defines_no_command(agent, manager):
    agent.configure(manager.url())
    agent.commands.mkdir(exist_ok=True)
    (agent.commands / "greet.conf").write_text("[command]\nhelp = x\nhelps = y\n")
    agent.start()
    agent.wait_notify("READY=1")
    agent.wait_notify("1 problem in the configuration")
    assert problems(agent) == [[f"{agent.commands}/greet.conf", 3, "there is no key helps in [command]"]]
    agent.wait_log(f"{agent.commands}/greet.conf defines no command: line 3: there is no key helps")
    assert f"{agent.commands}/greet.conf:3: there is no key helps in [command]" in ctl(agent, "status")[1]
    assert f"{agent.commands}/greet.conf:3: " in doctor(agent)[1]
    (agent.commands / "greet.conf").unlink()
    agent.call("Reload")
    assert not problems(agent)


def test_user_that_does_not_exist_is_said_when_the_file_is_read(agent, manager):
    agent.configure(manager.url())
    agent.commands.mkdir(exist_ok=True)
    path = agent.commands / "greet.conf"
    path.write_text("[command]\nhelp = x\nuser = nosuch\nscript = /bin/true\n")
    agent.start()
    agent.wait_notify("READY=1")
    mistake = "there is no user nosuch on this machine, so that jobs of the command are refused"
    assert problems(agent) == [[str(path), 3, mistake]]
    agent.wait_log(f"{path}:3: {mistake}")
    assert f"{path}:3: {mistake}" in ctl(agent, "status")[1] and f"{path}:3: {mistake}" in doctor(agent)[1]
    assert f"{path}:3: {mistake}" in config(agent, "--check")[1]
    path.write_text("[command]\nhelp = x\nuser = root\nscript = /bin/true\n")
    agent.call("Reload")
    assert not problems(agent)


def test_many_mistakes_are_counted(agent, manager):
    """What the bus and the journal have to carry is bounded; the first ones are shown."""
    agent.configure(manager.url())
    (agent.dropins / "site.conf").write_text("[workers]\n" + "".join(f"key{i} = 1\n" for i in range(500)))
    agent.start()
    agent.wait_notify("READY=1")
    agent.wait_notify("500 problems in the configuration, see dcm-agentctl status")
    assert len(problems(agent)) == 100 and agent.log.read_text().count("; ignored") == 100
    output = ctl(agent, "status")[1]
    assert output.count("there is no key") == 5 and "and 95 more, see dcm-agentctl doctor" in output


# --- states that are not mistakes -----------------------------------------------------------------------


def test_pause_is_seen_by_all(agent, manager):
    """On D-Bus, in both status lines, by the doctor, and by the manager: a line for its console, also when it comes
    back, and a key in the answer to STATUS."""
    agent.configure(manager.url())
    agent.start()
    manager.wait_offer()
    wait_for(lambda: agent.property("State") == "connected", "the connection")
    connection = manager.connections[-1]
    manager.request("r-1", "heartbeat")
    manager.ack(manager.wait_message("REPLY", "r-1"))
    manager.send(type="STATUS", request_id="r-1")
    assert "pause" not in manager.wait_message("STATUS", "r-1")
    for refuse, told, word in ((False, "paused, so new jobs wait (dcm-agentctl resume)", "waiting"),
                               (True, "paused, so new jobs are refused (dcm-agentctl resume)", "refusing")):
        agent.call("Pause", "b", "true" if refuse else "false")
        agent.wait_notify(f"as agent-1 (web1); {told}")
        assert agent.property("StatusText").endswith(told)
        assert f"{told}" in ctl(agent, "status")[1] and told in doctor(agent)[1]
        connection.send_text(json.dumps({"type": "STATUS", "request_id": "r-1"}))  # the doctor has one, too
        wait_for(lambda: word in [m.get("pause") for m in manager.of_type("STATUS")], "the key")
    lines = lambda: [urllib.parse.unquote(m["message"]) for m in manager.of_type("LOG")]  # noqa: E731
    wait_for(lambda: "The owner of this server has paused it." in lines(), "the line")
    agent.stop()
    agent.start()
    wait_for(lambda: "The owner of this server has paused it: new jobs are refused." in lines(), "the line once more")
    agent.wait_notify("READY=1")
    agent.call("Resume")
    wait_for(lambda: "paused" not in agent.property("StatusText"), "its end")


# --- dcm-agentctl config --------------------------------------------------------------------------------


def config(agent, *arguments):
    return run(agent, BUILD / "src/dcm-config/dcm-config", f"--config={agent.config}",
               f"--config-directory={agent.dropins}", f"--commands-directory={agent.commands}",
               f"--alerts={agent.directory}/alerts.conf", f"--alerts-directory={agent.directory}/alerts.conf.d",
               f"--policy={agent.directory}/policy.conf", f"--policy-directory={agent.directory}/policy.conf.d",
               *arguments)


def write_mistakes(agent):
    """One in each kind of file, and its line; the agent need not run."""
    agent.config.write_text("[workers]\ncuont = 3\ncount = many\n[connection]\nca_cert = /nonexistent/ca.pem\n")
    (agent.dropins / "site.conf").write_text("[loging]\n")
    agent.commands.mkdir(exist_ok=True)
    (agent.commands / "greet.conf").write_text("[command]\nhelp = x\nhelps = y\n")
    (agent.directory / "alerts.conf").write_text("[full]\nstatistic = memroy\n")
    (agent.directory / "policy.conf").write_text("[policy]\nallow_script = no\n")
    return [f"{agent.config}:2: there is no key cuont in [workers] (is count in [workers] meant?)",
            f"{agent.config}:3: the value of count in [workers] is not valid: it must be a whole number from 1 to 1000",
            f"{agent.dropins}/site.conf:1: there is no section [loging] (is [logging] meant?)",
            f"{agent.directory}/alerts.conf:2: the value of statistic in [full] is not valid",
            f"{agent.commands}/greet.conf:3: there is no key helps in [command]",
            f"{agent.directory}/policy.conf:2: there is no key allow_script in [policy]",
            f"{agent.config}:5: ca_cert /nonexistent/ca.pem: No such file or directory"]


def test_check_reports_all_mistakes(agent):
    mistakes = write_mistakes(agent)
    assert config(agent, "--check") == (1, "\n".join([*mistakes, "Problems: 7", ""]))
    status, output = config(agent, "--check", "--json")
    assert status == 1
    assert [f"{m['file']}:{m['line']}: {m['text']}" for m in json.loads(output)] == mistakes


def test_check_of_one_file_before_it_is_in_its_place(agent):
    mistakes = write_mistakes(agent)
    for path, expected in ((agent.config, mistakes[:2]), (agent.dropins / "site.conf", mistakes[2:3]),
                           (agent.directory / "alerts.conf", mistakes[3:4]),
                           (agent.directory / "policy.conf", mistakes[5:6])):
        assert config(agent, "--check", path) == (1, "\n".join([*expected, f"Problems: {len(expected)}", ""]))
    directory = agent.directory / "commands.d"
    directory.mkdir(exist_ok=True)
    (directory / "a.conf").write_text("[command]\nhelp = x\nuser = dcm-agent\n")
    (directory / "b.conf").write_text("[command]\nhelp = x\n")
    (directory / "c.txt").write_text("[command]\nhelp = x\n")
    assert "a.conf:3: the value of user in [command] is not valid" in config(agent, "--check", directory / "a.conf")[1]
    assert config(agent, "--check", directory / "b.conf") == (0, "No problems.\n")
    assert "its name is not NAME.conf" in config(agent, "--check", directory / "c.txt")[1]
    missing = agent.directory / "nothing.conf"
    assert config(agent, "--check", missing) == (1, f"{missing}: No such file or directory\nProblems: 1\n")


def test_check_finds_what_only_the_whole_shows(agent):
    agent.configure("wss://localhost/", connection={"client_key": agent.config})
    assert config(agent, "--check") == (
        1, f"client_key in {agent.config}:4 needs client_cert, which is not set\nProblems: 1\n")
    agent.configure("http://localhost/")
    assert f"agentmanager_url in {agent.config}:4 is not usable" in config(agent, "--check")[1]
    agent.configure(None)
    assert config(agent, "--check") == (0, "No problems.\n"), "an agent without a manager is none"


def test_usage_of_config(agent):
    for arguments in ((), ("--check", "--effective"), ("--effective", "x"), ("--check", "x", "y"), ("--unknown",)):
        assert config(agent, *arguments)[0] == 2


def test_effective_values_have_their_place(agent):
    agent.configure("wss://manager.example/", connection={"proxy": "http://user:canary@proxy:3128"},
                    features={"rack": "7"})
    (agent.dropins / "a.conf").write_text("[connection]\nmax_backoff = 1234567\n")
    status, output = config(agent, "--effective")
    assert status == 0 and "canary" not in output and "user" not in output.replace("allow_users", "")
    lines = {line.partition(" = ")[0]: line.partition(" = ")[2] for line in output.splitlines()}
    assert lines["agentmanager_url"].split() == ["wss://manager.example/", ";", f"{agent.config}:5"]
    assert lines["max_backoff"].split() == ["1234567", ";", f"{agent.dropins}/a.conf:2"]
    assert lines["proxy"].split() == ["http://proxy:3128", ";", f"{agent.config}:4"]
    assert lines["pin"].split() == [";", "default"] and lines["count"].split() == ["2", ";", "default"]
    assert lines["rack"].split() == ["7", ";", f"{agent.config}:7"]
    rows = json.loads(config(agent, "--effective", "--json")[1])
    by_key = {(r["section"], r["key"]): r for r in rows}
    assert by_key["workers", "count"] == {"section": "workers", "key": "count", "value": "2", "file": None, "line": 0}
    assert by_key["connection", "max_backoff"]["file"] == f"{agent.dropins}/a.conf"
    agent.config.write_text(output)  # it is a valid file, with the same values
    (agent.dropins / "a.conf").unlink()
    assert config(agent, "--check") == (0, "No problems.\n")
    assert [(r["key"], r["value"]) for r in json.loads(config(agent, "--effective", "--json")[1])] == \
        [(r["key"], r["value"]) for r in rows]
