# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: what an administrator sees of a mistake, or of a state, in systemctl
status, dcm-agentctl status, config, doctor, and the journal."""

import base64
import hashlib
import json
import pathlib
import re
import shutil
import subprocess

import pytest

from agent_test import run, show, wait_for

AGENT = "dcm-agent.service"
ETC = pathlib.Path("/etc/dcm-agent")
SITE = ETC / "agent.conf.d/site.conf"


def said(*command, status=0):
    """What a command writes, on both streams."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == status, done
    return done.stdout + done.stderr


@pytest.fixture(autouse=True)
def agent():
    """Starts without a manager; whatever a test writes is gone afterwards."""
    SITE.parent.mkdir(parents=True, exist_ok=True)
    SITE.write_text("[cloud]\ntype = Other\n")
    run("systemctl", "reset-failed", AGENT, check=False)
    run("systemctl", "restart", AGENT)
    yield
    run("systemctl", "stop", AGENT, check=False)
    for name in ("agent.conf.d", "alerts.conf.d", "policy.conf.d", "commands.d"):
        shutil.rmtree(ETC / name, ignore_errors=True)
        (ETC / name).mkdir()


def test_file_that_the_agent_cannot_read():
    """Written under umask 077: root is told the user, the mode, and the command that corrects it."""
    SITE.chmod(0o600)
    output = said("dcm-agentctl", "config", "--check", status=1)
    assert f"{SITE}: user dcm-agent cannot read it: it belongs to root:root and has mode 0600; run: chmod 0644 {SITE}\n" \
        in output
    run("systemctl", "restart", AGENT)
    wait_for(lambda: "Not connecting: " in show(AGENT, "StatusText"), "the status")
    assert f"run: chmod 0644 {SITE}" in show(AGENT, "StatusText")
    run(*re.search(r"run: (chmod 0644 \S+)\n", output)[1].split())
    assert said("dcm-agentctl", "config", "--check") == "No problems.\n"
    run("systemctl", "reload", AGENT)
    assert "Not configured" in show(AGENT, "StatusText")


def test_directory_and_key_that_the_agent_cannot_read():
    SITE.parent.chmod(0o700)
    assert f"{SITE.parent}: user dcm-agent cannot look into it: it belongs to root:root and has mode 0700; " \
        f"run: chmod 0755 {SITE.parent}\n" in said("dcm-agentctl", "config", "--check", status=1)
    SITE.parent.chmod(0o755)
    key = ETC / "agent.key"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=agent", "-keyout", str(key), "-out", str(SITE.parent / "cert.pem"))
    key.write_text(key.read_text() + (SITE.parent / "cert.pem").read_text())
    key.chmod(0o600)
    SITE.write_text(f"[connection]\nagentmanager_url = wss://localhost/\nclient_cert = {key}\n")
    output = said("dcm-agentctl", "config", "--check", status=1)
    assert f"{key}: user dcm-agent cannot read it: " in output, "a secret is not made public"
    command = re.search(r"run: (chgrp dcm-agent \S+ && chmod 0640 \S+)\n", output)[1]
    run("sh", "-c", command)
    assert said("dcm-agentctl", "config", "--check") == "No problems.\n"
    key.write_text("x")
    assert f"client_cert {key} with client_key {key} cannot be used: they have no certificate with its key in PEM form\n" in \
        said("dcm-agentctl", "config", "--check", status=1)
    key.unlink()
    assert f"client_cert {key}: No such file or directory" in said("dcm-agentctl", "config", "--check", status=1)


def test_effective_values():
    output = said("dcm-agentctl", "config", "--effective")
    assert re.search(rf"^type = Other +; {SITE}:2$", output, re.M) and re.search(r"^count = 2 +; default$", output, re.M)


def test_policy_that_only_root_may_read():
    """The executor obeys it, so that it is no mistake; what is wrong in it root's check finds."""
    policy = ETC / "policy.conf.d/site.conf"
    policy.write_text("[policy]\nallow_scripts = no\n")
    policy.chmod(0o600)
    run("systemctl", "restart", AGENT)
    assert said("dcm-agentctl", "config", "--check") == "No problems.\n"
    assert "problem" not in show(AGENT, "StatusText")
    policy.write_text("[policy]\nallow_script = no\n")
    assert f"{policy}:2: there is no key allow_script in [policy]" in said("dcm-agentctl", "config", "--check", status=1)
    policy.chmod(0o644)
    wait_for(lambda: "no job is allowed, as the policy is not valid" in show(AGENT, "StatusText"), "the status line")
    assert "no job is allowed, as the policy is not valid" in said("systemctl", "status", AGENT)
    assert f"{policy}:2: there is no key allow_script in [policy]" in said("dcm-agentctl", "status", status=3)


def test_reload_fails_and_the_previous_configuration_stays():
    SITE.write_text("[connection]\nagentmanager_url = ws://127.0.0.1:1/\n[cloud]\ntype = Other\n")
    run("systemctl", "reload", AGENT)
    wait_for(lambda: "127.0.0.1:1" in show(AGENT, "StatusText"), "an attempt")
    SITE.write_text("[connection]\nagentmanager_url = ws://127.0.0.1:2/\npins = x\n")
    assert "Job for dcm-agent.service failed" in said("systemctl", "reload", AGENT, status=1)
    why = f"Not connecting: {SITE}:3: there is no key pins in [connection] (is pin in [connection] meant?)"
    assert why in said("dcm-agentctl", "reload", status=1)
    status = show(AGENT, "StatusText")
    assert "127.0.0.1:1" in status and f"the last reload failed, so the previous configuration stays in force: {why}" in status
    run("journalctl", "--sync")
    log = run("journalctl", "-q", "-o", "cat", "-u", AGENT)
    assert f"The reload failed: {why}" in log
    assert show(AGENT, "ActiveState") == "active"
    SITE.write_text("[connection]\nagentmanager_url = ws://127.0.0.1:2/\n")
    run("systemctl", "reload", AGENT)
    wait_for(lambda: "127.0.0.1:2" in show(AGENT, "StatusText"), "the new configuration")
    assert "reload" not in show(AGENT, "StatusText")


# --- states that are not mistakes ---------------------------------------------------------------------


def service_line(status=None):
    """What the doctor says of the service."""
    done = subprocess.run(["dcm-agentctl", "doctor"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return re.findall(r"^\S+ +service +(.*)$", done.stdout, re.M)[-1]


def test_masked():
    run("systemctl", "stop", AGENT)
    run("systemctl", "mask", "--runtime", AGENT)
    assert service_line() == "dcm-agent.service is masked, so that it cannot start: systemctl unmask dcm-agent"
    run("systemctl", "unmask", "--runtime", AGENT)
    assert service_line() == "the agent is not running: systemctl enable --now dcm-agent"
    run("systemctl", "enable", AGENT)
    assert service_line() == "the agent is not running: systemctl start dcm-agent"
    run("systemctl", "disable", AGENT)


def test_paused():
    run("dcm-agentctl", "pause")
    told = "paused, so new jobs wait (dcm-agentctl resume)"
    assert told in show(AGENT, "StatusText") and told in said("systemctl", "status", AGENT) and told in service_line()
    run("dcm-agentctl", "resume")
    assert "paused" not in show(AGENT, "StatusText")


def test_token_that_cannot_be_unsealed():
    """The key of the host is another one: systemd does not start the agent."""
    credential = ETC / "token.cred"
    drop_in = pathlib.Path("/run/systemd/system/dcm-agent.service.d/token.conf")
    run("systemctl", "stop", AGENT)
    run("sh", "-c", f"echo x | systemd-creds encrypt --with-key=host --name=other - {credential}")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text(f"[Service]\nLoadCredentialEncrypted=token:{credential}\nRestart=no\n")
    try:
        run("systemctl", "daemon-reload")
        run("systemctl", "start", AGENT, check=False)
        wait_for(lambda: show(AGENT, "ActiveState") == "failed", "the failure")
        assert "status=243/CREDENTIALS" in said("systemctl", "status", AGENT, status=3)
        assert service_line().startswith("systemd cannot decrypt a credential of the service, for instance the sealed token")
    finally:
        drop_in.unlink()
        credential.unlink()
        run("systemctl", "daemon-reload")
        run("systemctl", "reset-failed", AGENT, check=False)


@pytest.fixture
def manager():
    from harness import Manager
    m = Manager()
    SITE.write_text(f"[connection]\nagentmanager_url = {m.url()}\nbackoff = 20\nmax_backoff = 200\n[cloud]\ntype = Other\n")
    run("systemctl", "restart", AGENT)
    m.wait_offer()
    wait_for(lambda: "Connected to" in show(AGENT, "StatusText"), "the connection")
    yield m
    m.stop()


@pytest.mark.parametrize("how", ["HEMLOCK", "terminate"])
def test_stopped_for_good_by_the_manager(manager, how):
    if how == "HEMLOCK":
        manager.send(type="HEMLOCK", request_id="g-1")
    else:
        manager.request("g-2", "terminate", {"strict": True})
        manager.ack(manager.wait_message("REPLY", "g-2"))
    wait_for(lambda: show(AGENT, "ActiveState") in ("failed", "inactive"), "the end")
    told = "Stopped for good, as the manager ordered; to start it again: systemctl enable --now dcm-agent"
    assert show(AGENT, "StatusText") == told
    assert f'Status: "{told}"' in said("systemctl", "status", AGENT, status=3)
    assert service_line() == told


def test_manager_without_a_certificate():
    """Why it does not start stands in its status."""
    run("systemctl", "start", "dcm-manager.service", check=False)
    try:
        why = "No certificate: /etc/dcm-manager/cert.pem cannot be read (No such file or directory). Make "
        wait_for(lambda: why in show("dcm-manager.service", "StatusText"), "the reason")
        wait_for(lambda: f'Status: "{why}' in subprocess.run(
            ["systemctl", "status", "--full", "dcm-manager.service"], capture_output=True, text=True).stdout, "it in the status")
    finally:
        run("systemctl", "stop", "dcm-manager.service", "dcm-manager.socket", check=False)
        run("systemctl", "reset-failed", "dcm-manager.service", check=False)


# --- the journal and the units ------------------------------------------------------------------------


def test_entries_of_the_journal(manager):
    """No field is in an entry twice, and places are those of the source."""
    script = base64.b64encode(b"#!/bin/sh\necho one\n").decode()
    manager.request("journal-1", "run_script", {"b64script": script, "checksum": hashlib.sha256(
        b"#!/bin/sh\necho one\n").hexdigest(), "inpath": None, "arguments": []})
    reply = manager.wait_message("REPLY", "journal-1")
    assert reply["payload"]["return_code"] == 0, reply
    manager.ack(reply)
    run("journalctl", "--sync")
    entries = [json.loads(line) for line in run(
        "journalctl", "-q", "-b", "-o", "json", "-u", AGENT, "-u", "dcm-agent-executor.service", "-u", "dcm-job-*").splitlines()]
    assert len(entries) > 5
    assert not [(key, e) for e in entries for key, value in e.items() if isinstance(value, list) and key != "MESSAGE"]
    places = {e["CODE_FILE"] for e in entries if e.get("SYSLOG_IDENTIFIER", "").startswith("dcm-") and "CODE_FILE" in e}
    assert "src/dcm-agentd/main.c" in places and all(p.startswith("src/") for p in places), places


def test_presets():
    units = ["dcm-agent.service", "dcm-agent.socket", "dcm-cloud.socket", "dcm-metrics.socket", "dcm-manager.service",
             "dcm-manager.socket"]
    run("systemctl", "enable", "dcm-agent.service", "dcm-metrics.socket", "dcm-manager.service")
    run("systemctl", "preset", *units)
    assert {u: show(u, "UnitFileState") for u in units if show(u, "UnitFileState") == "enabled"} == {}
    assert {show(u, "UnitFilePreset") for u in units} == {"disabled"}
