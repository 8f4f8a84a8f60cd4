# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: configure_server with a real Ansible (with repositories: configure_git_test.py), with scripts from
object storage, and with programs in the place of Puppet's and Chef's that note their arguments and the files that they
find. What is secret is nowhere, and no file of a request stays, whatever ends it."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import urllib.parse
import uuid

import pytest

from agent_test import describe, manager, reply_to, run, show, unit_of, wait_for  # noqa: F401
from services_test import Storage, b64, error_of, storage, work  # noqa: F401

HERE = pathlib.Path("/tmp/configure")
FILES = pathlib.Path("/run/dcm-configure")
STANDINS = pathlib.Path("/usr/local/bin")
POLICY = pathlib.Path("/etc/dcm-agent/policy.conf.d/test.conf")
CANARY = "canary-7d1f"
CHANGE = "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
PUPPET_RUN = """---
version:
  config: 1
resources:
  changed: 2
  failed: FAILED
  skipped: 1
  total: 9
time:
  total: 3.25
  last_run: 1
"""


@pytest.fixture(autouse=True)
def clean():
    HERE.mkdir(mode=0o777)
    HERE.chmod(0o777)
    yield
    shutil.rmtree(HERE)
    for name in ("puppet", "chef-client", "cinc-client"):
        (STANDINS / name).unlink(missing_ok=True)
    for path in ("/etc/chef", "/etc/cinc", "/var/lib/dcm-ansible"):
        shutil.rmtree(path, ignore_errors=True)
    Storage.objects.clear()
    assert not FILES.exists() or not list(FILES.iterdir()), "files of a request are left"


def configure(manager, kind, **arguments):
    return work(manager, "configure_server", configType=kind, **arguments)


def console(manager):
    """(level, text) of the lines of all jobs."""
    return [(m["level"], re.sub(r"^The job \S+ with request_id \S+: ", "", urllib.parse.unquote(m["message"])))
            for m in manager.of_type("LOG")]


def files_with(words, marker):
    """Files newer than the marker, but neither the journal's nor those of servers of the test."""
    return subprocess.run(
        ["find", "/etc", "/home", "/root", "/run", "/srv", "/tmp", "/var", "/dev/shm", "-path", "/run/object-servers", "-prune",
         "-o", "-path", "/var/log/journal", "-prune", "-o", "-newer", marker, "-type", "f", "-exec", "grep", "-lsF", "-e",
         "\n".join(words), "{}", "+"], capture_output=True, text=True).stdout.split()


def stand_in(name, text):
    path = STANDINS / name
    path.write_text(text)
    path.chmod(0o755)


def notes(name):
    return (HERE / name).read_text()


# --- ANSIBLE --------------------------------------------------------------------------------------------


def task(text):
    return f"    - {text}\n"


WRITE = task(f"ansible.builtin.copy: {{dest: {HERE}/motd, content: 'hello {{{{ who }}}}'}}")


def test_playbook(manager):
    """Changes once; a dry run changes nothing; figures of the run are the reply, its lines are on the console."""
    arguments = {"playbookText": b64(CHANGE + WRITE), "variables": {"who": CANARY}}
    reply = configure(manager, "ansible", **arguments, dry_run=True)
    figures = {"type": "ansible", "dry_run": True, "total": 1, "changed": 1, "failed": 0, "skipped": 0}
    assert (reply["return_code"], reply["reply_type"], reply["reply_object"]) == (0, "configuration", figures), reply
    assert not (HERE / "motd").exists()
    reply = configure(manager, "ANSIBLE", **arguments)
    assert reply["reply_object"] == figures | {"dry_run": False} and notes("motd") == f"hello {CANARY}"
    assert "PLAY RECAP" in reply["message"]
    wait_for(lambda: any("PLAY RECAP" in text for _, text in console(manager)), "lines on the console")
    reply = work(manager, "configure_server_17", configType="Ansible", **arguments)
    assert reply["reply_object"]["changed"] == 0, reply
    assert CANARY not in json.dumps(manager.received) + run("journalctl", "-o", "verbose", "--no-pager")


def test_playbook_that_fails(manager):
    reply = configure(manager, "ANSIBLE", playbookText=b64(CHANGE + task("ansible.builtin.command: /bin/false")))
    assert reply["return_code"] == 2 and reply["reply_object"]["failed"] == 1, reply
    assert "FAILED" in json.dumps(manager.received)
    reply = configure(manager, "ANSIBLE", playbookText=b64("- hosts: [\n"))
    assert reply["return_code"] == 4 and not reply["reply_object"], reply
    assert "error" in reply["message"].lower()


# --- PUPPET ---------------------------------------------------------------------------------------------

PUPPET = f"""#!/bin/bash
if [[ $1 == config ]]; then
    printf '%s\\n' "$@" >{HERE}/config
    dir={HERE}
    [[ $* != *--ssldir* ]] || dir=${{*##*--ssldir }}
    for name in hostcert hostprivkey localcacert; do echo "$name = $dir/$name"; done
    echo "lastrunfile = {HERE}/lastrunfile"
    exit
fi
printf '%s\\n' "$@" >{HERE}/arguments
cat {HERE}/hostcert {HERE}/hostprivkey {HERE}/localcacert >{HERE}/seen 2>/dev/null
ls /run/dcm-configure/*/ >{HERE}/files
[[ ! -e {HERE}/summary ]] || cp {HERE}/summary {HERE}/lastrunfile
echo Notice: one
echo Error: two >&2
[[ ! -e {HERE}/pipe ]] || {{ {HERE}/installer | cat >/dev/null; touch {HERE}/next; }}
[[ ! -e {HERE}/wait ]] || {{ touch {HERE}/waits; sleep infinity; }}
exit $(cat {HERE}/status)
"""


INSTALLER = f"""#!/usr/bin/python3
import fcntl, os
with open("DATABASE_LOCK", "w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    os.close(os.open("{HERE}/waits", os.O_CREAT))
    open("{HERE}/pipe").readline()
    print("x" * 1000000, flush=True)  # more than a pipe holds
    os.close(os.open("{HERE}/ended", os.O_CREAT))
"""


@pytest.fixture
def puppet():
    stand_in("puppet", PUPPET)
    (HERE / "summary").write_text(PUPPET_RUN.replace("FAILED", "0"))

    def call(manager, status, **arguments):
        (HERE / "status").write_text(str(status))
        return configure(manager, "puppet", endpoint="https://puppet.example.com:8140", **arguments)

    return call


@pytest.mark.parametrize("status, code", [(0, 0), (2, 0), (4, 99), (6, 99)])
def test_puppet(manager, puppet, status, code):
    reply = puppet(manager, status, configClientName="web1", environmentId="prod", configCert=b64("CERT"),
                   configKey=b64(CANARY), configCa=b64("CA"))
    assert reply["return_code"] == code and reply["reply_type"] == "configuration", reply
    assert reply["reply_object"] == {"type": "puppet", "dry_run": False, "total": 9, "changed": 2, "failed": 0, "skipped": 1,
                                     "seconds": 3.2}
    words = notes("arguments").split()
    assert words[0] == "agent" and {"--onetime", "--no-daemonize", "--detailed-exitcodes", "--color=false"} <= set(words)
    for pair in (["--server", "puppet.example.com"], ["--certname", "web1"], ["--environment", "prod"], ["--waitforcert", "0"]):
        assert pair[1] == words[words.index(pair[0]) + 1]
    assert "--noop" not in words
    assert notes("seen") == f"CERT\n{CANARY}\nCA\n"
    modes = {name: stat.S_IMODE((HERE / name).stat().st_mode) for name in ("hostcert", "hostprivkey", "localcacert")}
    assert modes == {"hostcert": 0o644, "hostprivkey": 0o640, "localcacert": 0o644}
    assert "Notice: one" in reply["message"] if code == 0 else "Error: two" in reply["message"]
    wait_for(lambda: {("INFO", "Notice: one"), ("WARNING", "Error: two")} <= set(console(manager)), "lines on the console")
    assert CANARY not in json.dumps(manager.received) + run("journalctl", "-o", "verbose", "--no-pager")


def test_puppet_without_a_summary_of_this_run(manager, puppet):
    """One that does not begin may write one of zeros."""
    reply = puppet(manager, 1)
    assert reply["return_code"] == 99 and not reply["reply_object"], reply
    assert "not signed" in reply["message"]
    (HERE / "summary").unlink()
    for seconds in 1, 4000000000:  # whatever the clock said then
        (HERE / "lastrunfile").write_text(PUPPET_RUN.replace("FAILED", "0"))
        os.utime(HERE / "lastrunfile", (seconds, seconds))
        reply = puppet(manager, 4)
        assert reply["return_code"] == 99 and not reply["reply_object"], reply


def test_puppet_dry_run(manager, puppet):
    reply = puppet(manager, 0, configCert=b64("CERT"), configKey=b64("KEY"), dry_run=True)
    assert reply["return_code"] == 0 and reply["reply_object"]["dry_run"] is True, reply
    assert "--noop" in notes("arguments").split() and not (HERE / "hostcert").exists()
    assert re.search("--ssldir\n/run/dcm-configure/[^/]*/ssl\n", notes("arguments"))
    (HERE / "arguments").unlink()
    reply = puppet(manager, 0, dry_run=True)
    assert reply["return_code"] == 1 and "needs a certificate" in reply["message"], reply
    (HERE / "hostcert").touch()
    assert puppet(manager, 0, dry_run=True)["return_code"] == 0 and "--ssldir" not in notes("arguments")


def test_refused_before_anything_is_done(manager, puppet):
    reply = configure(manager, "PUPPET")
    assert reply["return_code"] == 1 and "needs an endpoint" in error_of(reply), reply
    reply = configure(manager, "salt")
    assert reply["return_code"] == 1 and "configType must be" in error_of(reply), reply
    assert not (HERE / "arguments").exists()


def test_tool_that_is_missing(manager):
    reply = configure(manager, "CHEF")
    assert reply["return_code"] == 1 and "there is no chef-client or cinc-client" in reply["message"], reply


# --- whatever ends it -----------------------------------------------------------------------------------


def begin(manager):
    guid = str(uuid.uuid4())
    manager.request(guid, "configure_server", {"configType": "PUPPET", "endpoint": "puppet", "configCert": b64("C"),
                                               "configKey": b64(CANARY)})
    reply = reply_to(manager, guid)
    assert reply["reply_type"] == "job_description", reply
    return guid, reply["reply_object"]["job_id"]


def begin_waiting(manager):
    (HERE / "wait").touch()
    (HERE / "status").write_text("0")
    guid, _ = begin(manager)
    wait_for((HERE / "waits").exists, "the run")
    return guid


def is_clean():
    return not list(FILES.iterdir()) and "dcm-configure-" not in run("systemctl", "list-units", "--all", "dcm-configure-*")


@pytest.mark.parametrize("way", ["cancel", "kill the program", "kill the job"])
def test_whatever_ends_it(manager, puppet, way):
    guid = begin_waiting(manager)
    if way == "cancel":
        manager.send(type="CANCEL", request_id=guid)
    elif way == "kill the program":
        run("pkill", "--signal", "KILL", "--exact", "dcm-configure")
    else:
        units = run("systemctl", "list-units", "--plain", "--no-legend", "dcm-job-*").split()
        run("systemctl", "kill", "--signal=KILL", *[u for u in units if u.startswith("dcm-job-") and u.endswith(".service")])
    wait_for(is_clean, "the end of the run, and of its files", 120)
    (HERE / "wait").unlink()
    assert puppet(manager, 0)["return_code"] == 0


def state_of(name):
    return run("ps", "-C", name, "-o", "state=", check=False).split()


DPKG = "/var/lib/dpkg/lock-frontend"


@pytest.mark.parametrize("way, lock", [("cancel", DPKG), ("time limit", DPKG), ("kill the program", DPKG),
                                       ("cancel", "/var/lib/rpm/.rpm.lock"), ("cancel", "/usr/lib/sysimage/rpm/.rpm.lock")])
def test_work_with_packages_is_waited_for(manager, puppet, way, lock):
    """Who has the lock of the package database ends in order; who has called it begins nothing else. The job and its turn
    last as long, unless the program was killed."""
    (HERE / "status").write_text("0")
    pathlib.Path(lock).parent.mkdir(parents=True, exist_ok=True)
    (HERE / "installer").write_text(INSTALLER.replace("DATABASE_LOCK", lock))
    (HERE / "installer").chmod(0o755)
    os.mkfifo(HERE / "pipe")
    for seconds in (10, 40, 160):  # a machine may be too slow for one of them
        if way == "time limit":
            POLICY.parent.mkdir(exist_ok=True)
            POLICY.write_text(f"[limits]\ntimeout = {seconds}\n")
        guid, job = begin(manager)
        wait_for(lambda: (HERE / "waits").exists() or status_of(manager, job) in ("COMPLETE", "ERROR"), "the run", 200)
        POLICY.unlink(missing_ok=True)
        if (HERE / "waits").exists():
            break
    if way == "cancel":
        manager.send(type="CANCEL", request_id=guid)
    elif way == "kill the program":
        run("pkill", "--signal", "KILL", "--exact", "dcm-configure")
    wait_for(lambda: state_of("puppet") == ["T"], "the halt", 200)
    assert len(state_of("installer")) == 1
    if way != "kill the program":
        assert status_of(manager, job) == "RUNNING"
    with open(HERE / "pipe", "rb+", buffering=0) as pipe:  # also where nobody reads any more
        pipe.write(b"\n")
        wait_for(is_clean, "the end of the run, and of its files", 120)
    assert (HERE / "ended").exists() and not (HERE / "next").exists()
    wait_for(lambda: status_of(manager, job) == "ERROR", "the job")
    (HERE / "pipe").unlink()
    assert puppet(manager, 0)["return_code"] == 0


def status_of(manager, job):
    return describe(manager, job)["job_status"]


def test_one_at_a_time(puppet):
    """Jobs of the agent take turns by themselves; an administrator's call waits for its own."""
    def call():
        return subprocess.Popen(["/usr/lib/dcm-agent/dcm-configure", "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    request = json.dumps({"configType": "puppet", "endpoint": "puppet"})
    (HERE / "status").write_text("0")
    (HERE / "wait").touch()
    with call() as first, call() as second:
        first.stdin.write(request)
        first.stdin.close()
        wait_for((HERE / "waits").exists, "the run")
        (HERE / "wait").unlink()
        second.stdin.write(request)
        second.stdin.close()
        assert "Another configure_server is at work" in second.stderr.readline()
        assert second.poll() is None and len(list(FILES.glob("*/puppet.conf"))) == 1
        run("systemctl", "stop", "dcm-configure-*.service")
        assert json.loads(first.stdout.read())["return_code"] != 0
        assert json.loads(second.stdout.read())["return_code"] == 0


def test_what_a_killed_request_left_goes(manager, puppet):
    FILES.mkdir(mode=0o711, exist_ok=True)
    left = FILES / "left"
    left.mkdir()
    (left / "key.pem").write_text(CANARY)
    assert puppet(manager, 0)["return_code"] == 0
    assert not left.exists()


# --- CHEF -----------------------------------------------------------------------------------------------

CHEF = f"""#!/bin/bash
printf '%s\\n' "$@" >{HERE}/arguments
dir=${{0##*/}}; dir=/etc/${{dir%-client}}
cp $dir/client.rb $dir/first-boot.json {HERE}; stat -c '%a %U %n' $dir/* >{HERE}/modes; cat $dir/validation.pem >{HERE}/seen
exit $(cat {HERE}/status)
"""


@pytest.mark.parametrize("name", ["chef-client", "cinc-client"])
@pytest.mark.parametrize("status, code", [(0, 0), (35, 0), (37, 0), (1, 1), (43, 43)])
def test_chef(manager, name, status, code):
    stand_in(name, CHEF)
    (HERE / "status").write_text(str(status))
    reply = configure(manager, "Chef", configClientName="web1", authId="org-validator", endpoint="https://chef.example.com/o'x",
                      environmentId="prod", encryptedAuthSecret=b64(CANARY), runListIds=["recipe[a]", "role[b]"])
    assert reply["return_code"] == code, reply
    directory = "/etc/" + name.split("-")[0]
    assert notes("arguments").split() == ["-c", f"{directory}/client.rb", "-j", f"{directory}/first-boot.json", "-E", "prod",
                                          "-N", "web1", "--no-color", "--chef-license", "accept-silent"]
    assert notes("client.rb").splitlines()[1:] == [
        "chef_server_url 'https://chef.example.com/o\\'x'", "node_name 'web1'", "validation_client_name 'org-validator'",
        f"validation_key '{directory}/validation.pem'", "exit_status :enabled"]
    assert json.loads(notes("first-boot.json")) == {"run_list": ["recipe[a]", "role[b]"]}
    assert notes("modes").split("\n")[:3] == [f"644 root {directory}/client.rb", f"644 root {directory}/first-boot.json",
                                              f"600 root {directory}/validation.pem"]
    assert notes("seen") == CANARY + "\n" and not pathlib.Path(directory, "validation.pem").exists()
    assert CANARY not in json.dumps(manager.received) + run("journalctl", "-o", "verbose", "--no-pager")


# --- SCRIPT ---------------------------------------------------------------------------------------------


def scripts(manager, storage, *names, kind="SCRIPT", **more):
    return configure(manager, kind, scriptFiles=[f"images/{name}" for name in names], storageDelegate="1",
                     storageEndpoint=storage, storagePublicKey=b64("key"), storagePrivateKey=b64(CANARY),
                     providerRegionId="us-east-1", **more)


def test_scripts(manager, storage):
    """In their order, as the user, with carriage returns removed; the first failure ends it."""
    (HERE / "who").touch()
    (HERE / "who").chmod(0o666)
    Storage.objects["a.sh"] = f"#!/bin/bash\r\nid -un >>{HERE}/who\r\necho a\r\n".encode()
    Storage.objects["b.sh"] = b"echo b; echo no >&2; exit 7\n"
    Storage.objects["c.sh"] = f"echo c >>{HERE}/who\n".encode()
    reply = scripts(manager, storage, "a.sh", kind="ENSTRATUS")
    assert (reply["return_code"], reply["reply_type"], reply["reply_object"]) == (0, "string", "a\n"), reply
    reply = scripts(manager, storage, "a.sh", "b.sh", "c.sh", runAsUser="nobody")
    assert reply["return_code"] == 99 and "failed with status 7" in reply["message"], reply
    assert notes("who") == "dcm\nnobody\n"
    reply = scripts(manager, storage, "missing.sh")
    assert reply["return_code"] == 1 and re.search("missing.sh cannot be fetched: .", error_of(reply)), reply
    reply = scripts(manager, storage, "a.sh", runAsUser="nobody-there")
    assert reply["return_code"] == 1 and "there is no user" in reply["message"], reply
    assert CANARY not in json.dumps(manager.received) + run("journalctl", "-o", "verbose", "--no-pager")
