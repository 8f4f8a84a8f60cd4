# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: mistakes that need a systemd or a user of their own, and some others,
are made, and all places say of them what dcm-agent-troubleshooting(7) says, with the exit statuses that it says.
tests/component/test_symptoms.py makes the others."""

import contextlib
import datetime
import pathlib
import re
import shutil
import subprocess
import urllib.parse
import uuid

import pytest

from agent_test import run, script_arguments, show, wait_for  # also finds the modules of tests/component
import certificates
from mistakes_test import AGENT, ETC, SITE, agent, manager  # noqa: F401
from symptoms import SYMPTOMS, compare
from trouble_test import with_version

STATE = pathlib.Path("/var/lib/dcm-agent")
EXECUTOR = "dcm-agent-executor.service"
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


@makes("cannot be opened: No space left on device")
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


@makes("; run: chown -R dcm-agent: /var/lib/dcm-agent")
def restore_as_root(request):
    run("systemctl", "stop", AGENT)
    for path in STATE.iterdir():
        shutil.chown(path, "root", "root")
    with drop_in("[Service]\nRestart=no\n"):
        run("systemctl", "start", AGENT, check=False)
        wait_for(lambda: show(AGENT, "ActiveState") == "failed", "the end")
        yield
    run("chown", "-R", "dcm-agent:", str(STATE))
    run("systemctl", "start", AGENT)


@contextlib.contextmanager
def without_bus_policy(name):
    policy = pathlib.Path(f"/usr/share/dbus-1/system.d/{name}.conf")
    text = policy.read_text()
    policy.unlink()
    run("systemctl", "reload", "dbus")
    try:
        yield
    finally:
        policy.write_text(text)
        run("systemctl", "reload", "dbus")


@makes("the system bus does not allow it")
def forget_to_reload_the_bus(request):
    run("systemctl", "stop", AGENT)
    with without_bus_policy("org.dcmagent.Agent1"), drop_in("[Service]\nRestart=no\n"):
        run("systemctl", "start", AGENT, check=False)
        wait_for(lambda: show(AGENT, "ActiveState") == "failed", "the end")
        yield


# --- jobs do not start ----------------------------------------------------------------------------------


@contextlib.contextmanager
def waiting_job(request, text):
    """A job that cannot start; when the context ends, which mends what keeps it, it runs by itself."""
    manager = request.getfixturevalue("manager")  # noqa: F811
    guid = str(uuid.uuid4())
    manager.request(guid, "run_script", script_arguments("#!/bin/sh\necho ran\n"))
    wait_for(lambda: text in show(AGENT, "StatusText"), "the reason in the status")
    request.node.waiting = manager, guid
    yield


def has_run(request):
    manager, guid = request.node.waiting
    reply = manager.wait_message("REPLY", guid)
    manager.ack(reply)
    assert reply["payload"]["message"] == "ran\n"
    wait_for(lambda: "do not start" not in show(AGENT, "StatusText"), "the end of it")


@makes("dcm-agent-executor is masked")
def mask_the_executor(request):
    request.getfixturevalue("manager")
    run("systemctl", "stop", EXECUTOR)
    run("systemctl", "mask", "--runtime", EXECUTOR)
    with waiting_job(request, "dcm-agent-executor is masked"):
        yield
    run("systemctl", "unmask", "--runtime", EXECUTOR)
    has_run(request)


@makes("the job's directory in /var/lib/dcm-jobs cannot be made: No space left on device")
def fill_the_disk_of_the_jobs(request):
    request.getfixturevalue("manager")
    run("systemctl", "stop", EXECUTOR)
    run("mount", "-t", "tmpfs", "-o", "size=64k,mode=0750,gid=dcm-agent", "tmpfs", "/var/lib/dcm-jobs")
    run("sh", "-c", "head -c 1M /dev/zero >/var/lib/dcm-jobs/zeros", check=False)
    with waiting_job(request, "No space left on device"):
        yield
    run("rm", "/var/lib/dcm-jobs/zeros")
    has_run(request)
    run("systemctl", "stop", EXECUTOR)
    run("umount", "/var/lib/dcm-jobs")


@makes("the system bus does not let the agent call the executor")
def forget_to_reload_the_bus_for_the_executor(request):
    request.getfixturevalue("manager")
    with without_bus_policy("org.dcmagent.Executor1"):
        with waiting_job(request, "the system bus does not let the agent call the executor"):
            yield
    has_run(request)


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


def told_of(request, command, **arguments):
    """The error text of a job, as the manager and the owner of the server see it."""
    manager = request.getfixturevalue("manager")  # noqa: F811
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    reply = manager.wait_message("REPLY", guid)
    manager.ack(reply)
    shown, status = see("dcm-agentctl", "show", guid)
    assert status == 0
    return urllib.parse.unquote(reply["payload"]["error_message"]), re.sub(r"\s+", " ", shown)


@makes("there is none of the name")
def forget_the_script(request):
    (ETC / "commands.d/forgotten.conf").write_text("[command]\nhelp = x\n")
    assert "there is no script forgotten in /etc/dcm-agent/scripts, nor in /usr/lib/dcm-agent/scripts" in \
        see("dcm-agentctl", "config", "--check")[0]
    for text in told_of(request, "forgotten"):
        assert "the script of forgotten cannot be used: there is none of the name forgotten in " in text
    yield


@makes("the script .pre of this machine, in /etc/dcm-agent/scripts, failed")
def have_a_hook_that_fails(request):
    hook = ETC / "scripts/addUser.pre"
    hook.write_text("#!/bin/sh\nexit 3\n")
    hook.chmod(0o755)
    for text in told_of(request, "add_user", userId="hooked"):
        assert "dcm-run: the script .pre of this machine, in /etc/dcm-agent/scripts, failed (status 3)" in text
    yield
    hook.unlink()


@makes("its user does not exist on this machine (217/USER)")
def remove_the_user_of_the_jobs(request):
    manager = request.getfixturevalue("manager")  # noqa: F811
    passwd = pathlib.Path("/etc/passwd")
    before = passwd.read_text()
    without = re.sub("^dcm:.*\n", "", before, flags=re.M)
    passwd.write_text(without)
    try:
        for text in told_of(request, "run_script", **script_arguments("#!/bin/sh\n")):
            assert "systemd could not start the job: its user does not exist on this machine (217/USER)" in text
        run("systemd-sysusers")
        assert re.search("^dcm:", passwd.read_text(), re.M)
        manager.request("again", "run_script", script_arguments("#!/bin/sh\necho ran\n"))
        reply = manager.wait_message("REPLY", "again")
        manager.ack(reply)
        assert reply["payload"]["message"] == "ran\n"
        passwd.write_text(without)
        assert "there is no user dcm: is the agent installed? (systemd-sysusers)" in see("dcm-agentctl", "doctor")[0]
    finally:
        passwd.write_text(before)
    yield


@makes("No certificate: /etc/dcm-manager/cert.pem cannot be read")
def start_a_manager(request):
    run("systemctl", "start", "dcm-manager.service", check=False)
    why = "No certificate: /etc/dcm-manager/cert.pem cannot be read"
    wait_for(lambda: why in see("systemctl", "status", "--full", "dcm-manager.service")[0], "the reason")
    yield
    run("systemctl", "stop", "dcm-manager.service", "dcm-manager.socket", check=False)
    run("systemctl", "reset-failed", "dcm-manager.service", check=False)


@makes("the certificate expires on")
def let_a_certificate_expire(request):
    etc = pathlib.Path("/etc/dcm-manager")
    since, now = cursor(), datetime.datetime.utcnow()
    run("dcm-manager", "init", "--name=127.0.0.1")
    old = certificates.Certificate(request.getfixturevalue("tmp_path"), "old", names=["127.0.0.1"],
                                   start=now - datetime.timedelta(days=300), end=now + datetime.timedelta(days=5))
    for ours, path in (("cert.pem", old.path), ("key.pem", old.key_path)):
        (etc / ours).write_bytes(path.read_bytes())
    try:
        run("systemctl", "start", "dcm-manager.service")
        run("journalctl", "--sync")
        for said in (see("systemctl", "status", "--full", "dcm-manager.service"), see("dcm-manager", "agents"), see(
                "journalctl", "-q", "-o", "cat", "-u", "dcm-manager.service", "--after-cursor", since)):
            assert "the certificate expires on" in said[0].lower()
        yield
    finally:
        run("systemctl", "stop", "dcm-manager.service", "dcm-manager.socket", check=False)
        for path in etc.glob("*"):
            path.unlink()


@pytest.mark.parametrize("symptom", sorted(MAKERS))
def test_symptom(request, symptom):
    since = cursor()
    with MAKERS[symptom](request):
        if SYMPTOMS[symptom]:
            compare(symptom, observe(since))
