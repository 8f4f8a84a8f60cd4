# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: mistakes that need a systemd or a user of their own, and some others,
are made, and all places say of them what dcm-agent-troubleshooting(7) says, with the exit statuses that it says.
tests/component/test_symptoms.py makes the others."""

import contextlib
import pathlib
import shutil
import subprocess
import urllib.parse

import pytest

from agent_test import run, script_arguments, show, wait_for  # also finds the modules of tests/component
from mistakes_test import AGENT, ETC, SITE, agent, manager  # noqa: F401
from symptoms import SYMPTOMS, compare
from trouble_test import with_version

STATE = pathlib.Path("/var/lib/dcm-agent")
MAKERS = {}


def makes(symptom):
    """The function makes that mistake, until its context ends."""
    def register(function):
        MAKERS[symptom] = contextlib.contextmanager(function)
        return function
    return register


def see(*command):
    """Output and exit status, for an administrator who is root; meanwhile the manager, which runs here, answers."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        wait_for(lambda: process.poll() is not None, command[0])
        return process.stdout.read(), process.returncode


def observe(since):
    run("journalctl", "--sync")
    return {
        "systemctl status": see("systemctl", "status", "--full", AGENT),
        "dcm-agentctl status": see("dcm-agentctl", "status"),
        "dcm-agentctl doctor": see("dcm-agentctl", "doctor"),
        "dcm-agentctl config --check": see("dcm-agentctl", "config", "--check"),
        "journal": see("journalctl", "-q", "-o", "cat", "-u", AGENT, "--after-cursor", since),
    }


def cursor():
    run("journalctl", "--sync")
    return run("journalctl", "-q", "-n", "1", "-o", "json", "--output-fields=__CURSOR").split('"__CURSOR":"')[1].split('"')[0]


@contextlib.contextmanager
def drop_in(text):
    path = pathlib.Path("/run/systemd/system/dcm-agent.service.d/symptom.conf")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        path.unlink()
        run("systemctl", "daemon-reload")
        run("systemctl", "reset-failed", AGENT, check=False)


# --- the agent does not run ---------------------------------------------------------------------------


@makes("The agent is not running. Start it:")
def stop(request):
    run("systemctl", "stop", AGENT)
    yield


@makes("dcm-agent.service is masked, so that it cannot start")
def mask(request):
    run("systemctl", "stop", AGENT)
    run("systemctl", "mask", "--runtime", AGENT)
    yield
    run("systemctl", "unmask", "--runtime", AGENT)


@makes("Stopped for good, as the manager ordered")
def stop_for_good(request):
    request.getfixturevalue("manager").send(type="HEMLOCK", request_id="g-1")
    wait_for(lambda: show(AGENT, "ActiveState") == "failed", "the end")
    yield


@makes("systemd cannot decrypt a credential of the service")
def lose_key(request):
    credential = ETC / "token.cred"
    run("systemctl", "stop", AGENT)
    run("sh", "-c", f"echo x | systemd-creds encrypt --with-key=host --name=other - {credential}")
    with drop_in(f"[Service]\nLoadCredentialEncrypted=token:{credential}\nRestart=no\n"):
        run("systemctl", "start", AGENT, check=False)
        wait_for(lambda: show(AGENT, "ActiveState") == "failed", "the failure")
        yield
    credential.unlink()


@makes("a newer version of dcm-agent created the database")
def go_back_to_an_older_version(request):
    run("systemctl", "stop", AGENT)
    version = with_version(STATE / "requests.db", 9999)
    run("systemctl", "start", AGENT, check=False)
    wait_for(lambda: show(AGENT, "ActiveState") == "failed", "the end")
    yield
    with_version(STATE / "requests.db", version)


@makes("the agent failed: No space left on device")
def fill_disk(request):
    run("systemctl", "stop", AGENT)
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(STATE))
    try:
        run("sh", "-c", f"head -c 1M /dev/zero >{STATE}/zeros", check=False)
        with drop_in("[Service]\nRestart=no\n"):
            run("systemctl", "start", AGENT, check=False)
            wait_for(lambda: show(AGENT, "ActiveState") == "failed", "the end")
            yield
    finally:
        run("umount", str(STATE))


# --- what the agent cannot read -----------------------------------------------------------------------


@makes("; run: chmod 0644")
def forget_the_umask(request):
    SITE.chmod(0o600)
    run("systemctl", "restart", AGENT)
    yield


@makes("; run: chmod 0755")
def close_the_folder(request):
    SITE.parent.chmod(0o700)
    run("systemctl", "restart", AGENT)
    yield
    SITE.parent.chmod(0o755)


# --- others, whose places are elsewhere -----------------------------------------------------------------


@makes("the policy of this machine forbids")
def forbid(request):
    manager = request.getfixturevalue("manager")  # noqa: F811
    (ETC / "policy.conf.d/site.conf").write_text("[policy]\nallow_scripts = no\n")
    manager.request("forbidden-1", "run_script", script_arguments("#!/bin/sh\n"))
    reply = manager.wait_message("REPLY", "forbidden-1")
    manager.ack(reply)
    text = "policy.conf.d/site.conf:2"
    error = urllib.parse.unquote(reply["payload"]["error_message"])
    assert text in error and "the policy of this machine forbids" in error
    told, status = see("dcm-agentctl", "show", "forbidden-1")
    assert status == 0 and text in told and "the policy of this machine forbids" in told
    yield


@makes("No certificate: /etc/dcm-manager/cert.pem cannot be read")
def start_a_manager(request):
    run("systemctl", "start", "dcm-manager.service", check=False)
    why = "No certificate: /etc/dcm-manager/cert.pem cannot be read"
    wait_for(lambda: why in see("systemctl", "status", "--full", "dcm-manager.service")[0], "the reason")
    yield
    run("systemctl", "stop", "dcm-manager.service", "dcm-manager.socket", check=False)
    run("systemctl", "reset-failed", "dcm-manager.service", check=False)


@pytest.mark.parametrize("symptom", sorted(MAKERS))
def test_symptom(request, symptom):
    since = cursor()
    with MAKERS[symptom](request):
        if SYMPTOMS[symptom]:
            compare(symptom, observe(since))
