# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: clean_image. What belongs to the machine goes while the job runs; what the agent needs for its answer
goes when the manager has that, or before the agent starts in another boot. If something fails, the manager is told,
and the agent goes on."""

import pathlib
import shutil
import subprocess
import urllib.parse
import uuid

import pytest

from agent_test import manager, order as order_script, reply_to, run, show, unit_of, wait_begun, wait_for  # noqa: F401
from commands_test import do

STATE, SEAL = pathlib.Path("/var/lib/dcm-agent"), pathlib.Path("/var/lib/dcm-seal")
TOKEN, ORDER = STATE / "token", SEAL / "order"
RECOVERY = "/usr/lib/dcm-agent/recovery.sh"
HOST_KEY = pathlib.Path("/etc/ssh/ssh_host_ed25519_key")


@pytest.fixture(autouse=True)
def machine():
    """Like one that has worked for a while."""
    shutil.rmtree(SEAL, ignore_errors=True)
    HOST_KEY.write_text("a host key")
    machine_id = pathlib.Path("/etc/machine-id")
    machine_id.write_text("0123456789abcdef0123456789abcdef\n")
    pathlib.Path("/root/.bash_history").write_text("secret")
    yield machine_id


def clean(manager, guid=None, **arguments):
    """Orders it; returns GUID and number of the job."""
    guid = guid or str(uuid.uuid4())
    manager.request(guid, "clean_image", arguments)
    reply = reply_to(manager, guid)
    assert reply["reply_type"] == "job_description", reply
    return guid, reply["reply_object"]["job_id"]


def wait_ended(guid):
    """By the word of this machine: the question of the manager may be the last one."""
    wait_for(lambda: guid not in run("busctl", "call", "org.dcmagent.Agent1", "/org/dcmagent/Agent1",
                                     "org.dcmagent.Agent1.Manager", "ListJobs"), "the end of the job")


def describe(manager, number):
    return do(manager, "get_job_description", jobId=number)["reply_object"]


def wait_sealed():
    wait_for(lambda: show("dcm-agent.service", "ActiveState") == "failed", "the end of the agent")
    wait_for(lambda: show("dcm-agent-seal@now.service", "ActiveState") in ("inactive", "failed") and not ORDER.exists(),
             "the removal")


def nothing_is_left_of_the_agent():
    return not any(path for directory in (STATE, pathlib.Path("/var/lib/dcm-jobs")) for path in directory.glob("*"))


def test_from_the_order_to_a_new_agent(manager, machine):
    assert do(manager, "add_user", userId="ann", firstName="Ann", lastName="A", administrator="true",
              authentication="")["return_code"] == 0
    assert do(manager, "add_user", userId="bob")["return_code"] == 0
    secret = pathlib.Path("/run/dcm-test-key")
    secret.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(secret))
    ssh = pathlib.Path("/home/ann/.ssh")
    ssh.mkdir(exist_ok=True)
    (ssh / "authorized_keys").write_text('# a comment\nfrom="*.example.org" ' + pathlib.Path(f"{secret}.pub").read_text())
    (ssh / "mine").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    token = TOKEN.read_text()
    guid, number = clean(manager, delUser=["bob"], delKeys=True, recovery=True)
    wait_ended(guid)

    # all but what the agent needs for its answer
    passwd = pathlib.Path("/etc/passwd").read_text()
    assert "\nann:" in passwd and "\nbob:" not in passwd
    assert machine.read_text() == "" and not HOST_KEY.exists() and not (ssh / "mine").exists()
    assert (ssh / "authorized_keys").exists() and pathlib.Path("/root/.bash_history").read_text() == "secret"
    assert ORDER.read_text().split()[1] == guid and TOKEN.read_text() == token

    # an agent that is killed goes on, as the same one
    offers = len(manager.offers)
    run("systemctl", "kill", "--signal=KILL", "dcm-agent.service")
    wait_for(lambda: len(manager.offers) > offers, "the agent")
    assert manager.offers[-1]["token"] == token

    # the answer is the last thing that it is needed for
    question = str(uuid.uuid4())
    manager.request(question, "get_job_description", {"jobId": number})
    reply = manager.wait_message("REPLY", question)
    job = reply["payload"]["reply_object"]
    assert job["job_status"] == "COMPLETE" and "ready to become an image" in job["command_reply"]["message"], job
    manager.wait_message("REPLY", question, n=2)  # repeated, as nobody has it
    assert TOKEN.read_text() == token and show("dcm-agent.service", "ActiveState") == "active"
    manager.ack(reply)
    wait_sealed()
    assert nothing_is_left_of_the_agent()
    status = subprocess.run(["dcm-agentctl", "status"], capture_output=True, text=True)
    assert "ready to become an image" in status.stdout + status.stderr, status

    # the rescue archive has it
    archive, = SEAL.glob("rescue-*.tar")
    place = pathlib.Path("/run/dcm-test-place")
    shutil.rmtree(place, ignore_errors=True)
    run("sh", RECOVERY, str(place), str(secret), str(archive))
    assert (place / "var/lib/dcm-agent/token").read_text() == token
    assert (place / "home/ann/.ssh/mine").exists() and (place / "etc/ssh/ssh_host_ed25519_key").read_text() == "a host key"

    run("systemctl", "reset-failed", "dcm-agent.service")
    offers = len(manager.offers)
    run("systemctl", "start", "dcm-agent.service")
    wait_for(lambda: len(manager.offers) > offers, "the new agent")
    assert manager.offers[-1]["token"] != token and manager.offers[-1]["agent_id"] is None


def test_as_a_normal_job(manager):
    """Its own reply tells the end."""
    guid = str(uuid.uuid4())
    manager.request(guid, "clean_image", {"delHistory": "true"}, longer_runner=False)
    reply = reply_to(manager, guid)
    assert reply["return_code"] == 0 and reply["reply_type"] == "void", reply
    wait_sealed()
    assert nothing_is_left_of_the_agent() and not pathlib.Path("/root/.bash_history").exists()


def test_in_a_later_boot(manager):
    """With the order of another boot the agent is a new one, whether the manager has asked or not; it does not start with
    the old token."""
    guid, _ = clean(manager)
    wait_ended(guid)
    token = TOKEN.read_text()
    ORDER.write_text(f"{'0' * 32} {guid}\n")
    run("systemctl", "stop", "dcm-agent.service")
    offers = len(manager.offers)
    run("chattr", "+i", str(TOKEN), check=False)
    if "i" in run("lsattr", str(TOKEN), check=False).split(" ")[0]:
        assert subprocess.run(["systemctl", "start", "dcm-agent.service"], capture_output=True).returncode != 0
        assert ORDER.exists() and len(manager.offers) == offers
        run("chattr", "-i", str(TOKEN))
        assert "before its former identity is removed" in run("journalctl", "-u", "dcm-agent-seal@boot.service", "-o", "cat")
    run("systemctl", "start", "dcm-agent.service")
    wait_for(lambda: len(manager.offers) > offers, "the new agent")
    assert manager.offers[-1]["token"] != token and not ORDER.exists()


def test_failures_are_told(manager, machine):
    """Nothing is removed, and the agent goes on."""
    for arguments, words in (
            ({"recovery": True}, "give the owner's public key as recipient"),
            ({"recovery": True, "recipient": "nonsense"}, "age does not take the keys"),
            ({"delUser": ["root"]}, "the user root cannot be removed"),
            ({"delUser": ["nobody-such", "daemon"]}, "the user daemon cannot be removed")):
        _, number = clean(manager, **arguments)
        job = wait_for(lambda: next(iter([j for j in [describe(manager, number)] if j["end_date"]]), None), "the end")
        assert job["job_status"] == "ERROR" and words in urllib.parse.unquote(job["message"]), job
        assert job["command_reply"]["return_code"] == 1
    other = order_script(manager, "#!/bin/sh\nexec sleep infinity\n")
    wait_begun(other)
    _, number = clean(manager)
    job = wait_for(lambda: next(iter([j for j in [describe(manager, number)] if j["end_date"]]), None), "the end")
    assert unit_of(other) in urllib.parse.unquote(job["message"]), job
    manager.send(type="CANCEL", request_id=other)
    reply_to(manager, other)
    assert machine.read_text() and HOST_KEY.exists() and not ORDER.exists()
    assert show("dcm-agent.service", "ActiveState") == "active"


def test_dry_run(manager, machine):
    do(manager, "add_user", userId="bob")
    _, number = clean(manager, delUser=["bob"], dry_run=True)
    job = wait_for(lambda: next(iter([j for j in [describe(manager, number)] if j["end_date"]]), None), "the end")
    message = job["command_reply"]["message"]
    assert "The user bob" in message and "/etc/machine-id" in message, job
    assert machine.read_text() and HOST_KEY.exists() and "\nbob:" in pathlib.Path("/etc/passwd").read_text()
    assert not ORDER.exists() and do(manager, "remove_user", userId="bob")["return_code"] == 0


def test_killed_and_repeated(manager, machine):
    """It is told as failed; the next order completes it."""
    victim = pathlib.Path("/run/dcm-test-scrub")
    victim.write_text("#!/bin/sh\nkill -KILL 0\n")
    victim.chmod(0o755)
    run("mount", "--bind", str(victim), "/usr/lib/dcm-agent/dcm-scrub")
    try:
        _, number = clean(manager)
        job = wait_for(lambda: next(iter([j for j in [describe(manager, number)] if j["end_date"]]), None), "the end")
    finally:
        run("umount", "/usr/lib/dcm-agent/dcm-scrub")
    assert job["job_status"] == "ERROR" and not ORDER.exists() and machine.read_text()
    guid, number = clean(manager)
    wait_ended(guid)
    assert describe(manager, number)["job_status"] == "COMPLETE"
    wait_sealed()
    assert nothing_is_left_of_the_agent()


def test_scrub_killed_and_repeated(manager, machine):
    """On a machine that runs, at some of its removals; the last run completes it, and then the agent is a new one."""
    token, n, statuses = TOKEN.read_text(), 1, []
    while not statuses or statuses[-1] != 0:
        done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=unlinkat,ftruncate",
                               "-e", f"inject=unlinkat,ftruncate:signal=KILL:when={n}", "dcm-agentctl", "scrub", "--yes"],
                              capture_output=True, text=True)
        assert done.returncode in (0, -9, 137), done
        assert show("dcm-agent.service", "ActiveState") == "inactive"
        statuses.append(done.returncode)
        n += 1
    assert len(statuses) > 3 and "Done." in done.stdout
    assert machine.read_text() == "" and not HOST_KEY.exists() and nothing_is_left_of_the_agent()
    assert "There is nothing to remove" in run("dcm-agentctl", "scrub", "--dry-run")
    offers = len(manager.offers)
    run("systemctl", "start", "dcm-agent.service")
    wait_for(lambda: len(manager.offers) > offers, "the new agent")
    assert manager.offers[-1]["token"] != token


def test_unregister(manager):
    """The manager is told, the service does not start again, and an agent that is started anew is a new one."""
    token = TOKEN.read_text()
    run("systemctl", "enable", "--quiet", "dcm-agent.service")
    begun = subprocess.Popen(["dcm-agentctl", "unregister"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    message = manager.wait_message("UNREGISTER")
    manager.send(type="UNREGISTER_ACK", request_id=message["request_id"], message_id="x")
    wait_for(lambda: begun.poll() is not None, "the end of dcm-agentctl")
    out, err = begun.communicate()
    assert begun.returncode == 0 and "The manager knows" in out and not err, (out, err)
    assert show("dcm-agent.service", "UnitFileState") == "disabled"
    assert show("dcm-agent.service", "ActiveState") in ("inactive", "failed")
    status = subprocess.run(["dcm-agentctl", "status"], capture_output=True, text=True)
    assert "systemctl enable --now" in status.stderr, status
    offers = len(manager.offers)
    run("systemctl", "reset-failed", "dcm-agent.service", check=False)
    run("systemctl", "start", "dcm-agent.service")
    wait_for(lambda: len(manager.offers) > offers, "the new agent")
    assert manager.offers[-1]["token"] != token and manager.offers[-1]["agent_id"] is None
    nobody = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", "dcm-agentctl", "unregister"],
                            capture_output=True, text=True)
    assert nobody.returncode == 4 and show("dcm-agent.service", "ActiveState") == "active"
