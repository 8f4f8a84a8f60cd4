# SPDX-License-Identifier: Apache-2.0
"""Rules of alerts.conf: each crossing is one ALERT and its end another, over reloads, restarts and kills. Values are
the machine's own; thresholds that are always, or never, crossed stand for those that come and go."""

import os

import pytest

from harness import wait_for

ALWAYS = "[memory]\nstatistic = memory\nvalue = use\nabove = 0 %\nlevel = 9\nrule = 4711\ninterval = 1\n"
NEVER = ALWAYS.replace("above = 0 %", "above = 100 %")


@pytest.fixture
def rules(agent, manager):
    def write(text):
        (agent.directory / "alerts.conf").write_text(text)

    def start(text, wrapper=()):
        write(text)
        agent.configure(manager.url(), health={"interval": "0"})
        agent.start(wrapper=wrapper)
        manager.wait_offer()

    start.write = write
    return start


def acknowledge(manager, alert):
    manager.send(type="ALERT_ACK", request_id=alert["request_id"])


def subjects(manager):
    """Of different alerts, in the order in which they came."""
    return list(dict.fromkeys((a["request_id"], a["subject"]) for a in manager.of_type("ALERT")))


def wait_alert(manager, n):
    wait_for(lambda: len(subjects(manager)) >= n, f"{n} alerts")
    number, _ = subjects(manager)[n - 1]
    alert = next(a for a in manager.of_type("ALERT") if a["request_id"] == number)
    acknowledge(manager, alert)
    return alert


def test_crossing_is_one_alert_and_its_end_another(agent, manager, rules):
    rules(ALWAYS)
    alert = wait_alert(manager, 1)
    assert (alert["level"], alert["rule"], alert["user"], alert["source_ip"]) == (9, 4711, None, None)
    assert alert["subject"].startswith("memory: use is ") and alert["subject"].endswith(" %, above 0.0 %")
    assert alert["message"] == alert["subject"].split(": ", 1)[1]
    agent.wait_log("Alert memory: use is ")
    rules.write(NEVER)
    agent.call("Reload")
    alert = wait_alert(manager, 2)
    assert alert["subject"] == "memory: cleared" and alert["message"].startswith("use is ")
    rules.write(ALWAYS)
    agent.call("Reload")
    assert wait_alert(manager, 3)["subject"].startswith("memory: use is ")


def test_message_is_the_subject(agent, manager, rules):
    rules(ALWAYS + "message = memory is used\n")
    alert = wait_alert(manager, 1)
    assert alert["subject"] == "memory: memory is used" and alert["message"].startswith("use is ")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_raised_over_a_restart(agent, manager, rules, end):
    """It is not raised a second time, and cleared by whichever process sees the end."""
    rules(ALWAYS)
    wait_alert(manager, 1)
    getattr(agent, end)()
    agent.start()
    manager.wait_offer(2)
    rules.write(ALWAYS + "[load]\nstatistic = load\nvalue = tasks\nabove = 0\ninterval = 1\n")
    agent.call("Reload")
    assert wait_alert(manager, 2)["subject"].startswith("load: tasks is "), "and no second one of memory before it"
    getattr(agent, end)()
    rules.write(NEVER)
    agent.start()
    found = {wait_alert(manager, 3)["subject"], wait_alert(manager, 4)["subject"]}
    assert found == {"memory: cleared", "load: cleared"}


def test_rule_that_is_taken_away_is_cleared(agent, manager, rules):
    rules(ALWAYS)
    wait_alert(manager, 1)
    rules.write("")
    agent.call("Reload")
    alert = wait_alert(manager, 2)
    assert (alert["subject"], alert["message"]) == ("memory: cleared", "there is no rule for it any more")


def test_each_row_is_watched(agent, manager, rules):
    rules("[net]\nstatistic = interfaces\nvalue = errors-in\nbelow = 1\nrows = l[o]\ninterval = 1\n")
    assert wait_alert(manager, 1)["subject"] == "net: lo: errors-in is 0 1/s, below 1 1/s"


def test_alerts_wait_for_the_manager(agent, manager, rules):
    """What was raised while nobody listened is told later."""
    manager.answers = [{"return_code": 401}] * 3
    rules(ALWAYS)
    assert wait_alert(manager, 1)["subject"].startswith("memory: ")


def test_broken_rules_are_told_and_the_others_work(agent, manager, rules):
    rules("[bad]\nstatistic = memory\nvalue = nothing\nabove = 1\n" + ALWAYS + "[worse]\nnonsense = 1\n")
    wait_alert(manager, 1)
    agent.wait_log("alerts.conf:3: [bad] is not a valid rule: this statistic has no value")
    agent.wait_log(": there is no key nonsense in [worse]; ignored")
    agent.wait_log("[worse] is not a valid rule: statistic is missing")


def test_drop_ins_change_rules(agent, manager, rules):
    directory = agent.directory / "alerts.conf.d"
    directory.mkdir()
    (directory / "10-local.conf").write_text("[memory]\nlevel = 3\n[other]\nstatistic = load\nvalue = tasks\nabove = 0\n"
                                             "interval = 1\nenabled = no\n")
    rules(ALWAYS)
    assert wait_alert(manager, 1)["level"] == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_full_disk(agent, manager, rules):
    """What is crossed while nothing can be stored is told when there is room, once; so is the end of a rule that was
    taken away meanwhile. The journal has one line about it."""
    rules("", wrapper=["unshare", "--mount", "--propagation", "private", "sh", "-c",
                       f"mount -t tmpfs -o size=8M tmpfs {agent.state} && exec \"$@\"", "sh"])
    filler = f"/proc/{agent.process.pid}/root{agent.state}/filler"

    def fill():
        """Also what the files of the database have left: rules of many rows would not fit there."""
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def failures():
        return agent.log.read_text().count("Alerts cannot be stored: No space left on device")

    many = "".join(ALWAYS.replace("[memory]", f"[memory-{i}]") + f"message = {'x' * 250}\n" for i in range(60))
    fill()
    rules.write(many)
    agent.call("Reload")
    wait_for(lambda: failures() == 1, "a failure")
    assert not manager.of_type("ALERT")
    os.unlink(filler)
    for i in range(60):
        wait_alert(manager, i + 1)
    fill()
    rules.write("")
    agent.call("Reload")
    wait_for(lambda: failures() == 2, "another failure")
    assert len(subjects(manager)) == 60
    os.unlink(filler)
    for i in range(60, 120):
        assert wait_alert(manager, i + 1)["subject"].endswith(": cleared")
    agent.call("Reload")
    assert len(subjects(manager)) == 120
    assert failures() == 2
