# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: what one job can do to another one of the same user, and
to the machine. It forges no result, takes no descriptor of dcm-run, reads no secret; what it writes has a
bound; and what cannot be prevented, a kill, is told as one. The attacks are tried where they work first."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import urllib.parse
import uuid

import pytest

from agent_test import (CONF, manager, order, reply_to, run, script_arguments, show, unit_of,  # noqa: F401
                        wait_begun, wait_for)
from commands_test import add, do, load, nothing_is_left  # noqa: F401

JOBS = pathlib.Path("/var/lib/dcm-jobs")
DCM_RUN = pathlib.Path("/usr/lib/dcm-agent/dcm-run")
EMPTY = hashlib.sha256(b"").hexdigest()

# Prints what it got of each process of a unit: "PROGRAM WAY" for each way in.
ATTACK = """#!/usr/bin/python3
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if sys.argv[1] in open(f"/proc/{pid}/cgroup").read():
                yield int(pid), open(f"/proc/{pid}/comm").read().strip()
        except OSError:
            pass
def works(call):
    try:
        return call() is not False
    except OSError:
        return False
def read(path):
    with open(path, "rb") as f:
        f.read(1)
def ways(pid):
    pidfd = os.pidfd_open(pid)
    libc.kcmp_ = lambda: libc.syscall(312, pid, os.getpid(), 0, 0, 0) >= 0
    local = ctypes.create_string_buffer(8)
    class Iov(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
    here = Iov(ctypes.cast(local, ctypes.c_void_p), 8)
    there = Iov(0x400000, 8)
    def vm_read():
        n = libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        return n >= 0 or ctypes.get_errno() == 14  # it is let in, and nothing is there
    def trace():
        if libc.ptrace(0x4206, pid, 0, 0) < 0:  # SEIZE
            return False
        return True
    for fd in range(64):
        yield f"descriptor {fd}", lambda fd=fd: libc.syscall(438, pidfd, fd, 0) >= 0
    yield "root", lambda: os.listdir(f"/proc/{pid}/root/")
    yield "record", lambda: os.open(f"/proc/{pid}/root/run/dcm-job/exit", os.O_WRONLY)
    yield "credentials", lambda: os.listdir(f"/proc/{pid}/root/run/credentials")
    yield "fd", lambda: os.readlink(f"/proc/{pid}/fd/1")
    yield "input", lambda: read(f"/proc/{pid}/fd/0")
    yield "mem", lambda: os.open(f"/proc/{pid}/mem", os.O_RDWR)
    yield "environ", lambda: read(f"/proc/{pid}/environ")
    yield "maps", lambda: read(f"/proc/{pid}/maps")
    yield "kcmp", libc.kcmp_
    yield "process_vm_readv", vm_read
    yield "ptrace", trace
seen = set()
for pid, name in processes():
    seen.add(name)
    for way, call in ways(pid):
        if works(call):
            print(name, way)
print("seen", *sorted(seen))
"""


@pytest.fixture
def gate():
    """A job that reads from it waits until it is opened."""
    path = pathlib.Path("/tmp/dcm-test-gate")
    os.mkfifo(path)
    path.chmod(0o666)
    yield path
    path.unlink()


def attack(manager, guid):
    """What a job of user dcm gets of the processes of another one, as {program: [way, ...]}."""
    reply = reply_to(manager, order(manager, ATTACK, arguments=[unit_of(guid)]))
    assert reply["return_code"] == 0, reply
    got, lines = {}, reply["message"].splitlines()
    assert lines.pop().startswith("seen dcm-run"), reply
    for line in lines:
        name, _, way = line.partition(" ")
        got.setdefault(name, []).append(way)
    return got


def wait_running(guid):
    wait_begun(guid)
    wait_for(lambda: show(unit_of(guid), "SubState") == "running", "the unit")


@contextlib.contextmanager
def readable():
    """As if a package had lost the file's mode: what the tests below find closed is open then."""
    DCM_RUN.chmod(0o755)
    yield
    DCM_RUN.chmod(0o711)


def test_attack_works_where_the_program_can_be_read(manager, gate):
    assert DCM_RUN.stat().st_mode & 0o7777 == 0o711 and DCM_RUN.stat().st_uid == 0
    with readable():
        run("systemctl", "stop", "dcm-agent-executor.service")
        victim = order(manager, f"#!/bin/bash\nread -r line <{gate}\n")
        wait_running(victim)
        got = attack(manager, victim)["dcm-run"]
    assert {"descriptor 1", "root", "fd", "mem", "environ", "maps", "kcmp", "process_vm_readv", "ptrace"} <= set(got)
    warning = run("journalctl", "-o", "cat", "-u", "dcm-agent-executor.service")
    assert "jobs of one user can forge each other's results" in warning
    gate.write_text("x\n")
    reply_to(manager, victim)


def test_no_job_gets_into_dcm_run(manager, gate):
    """No way in but kill(2); and that is told, with what was really said."""
    victim = order(manager, f"#!/bin/bash\necho backup failed\nread -r line <{gate}\nexit 3\n")
    wait_running(victim)
    wait_for(lambda: (JOBS / victim / "stdout").stat().st_size, "the output")
    assert "dcm-run" not in attack(manager, victim)
    reply = reply_to(manager, order(manager, f"#!/bin/bash\nkill -KILL {show(unit_of(victim), 'MainPID')}\n"))
    assert reply["return_code"] == 0
    reply = reply_to(manager, victim)
    assert reply["return_code"] == -signal.SIGKILL and reply["message"] == "backup failed\n"
    assert "did not end by itself" in reply["error_message"]


RACE = """#!/usr/bin/python3
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
gate, hits, met = sys.argv[1], 0, set()
before = set(os.listdir("/proc"))
open(gate, "w").close()
while not os.path.exists(sys.argv[2]):
    for pid in set(os.listdir("/proc")) - before:
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            pidfd = os.pidfd_open(int(pid))
        except OSError:
            continue
        while True:
            taken = [fd for fd in (0, 1, 2) if (got := libc.syscall(438, pidfd, fd, 0)) >= 0]
            try:
                name = open(f"/proc/{pid}/comm").read().strip()
            except OSError:
                break
            if name == "dcm-run":
                met.add(pid)
                if taken:
                    hits += 1
                break
            if name not in ("systemd", "(dcm-run)", "(sd-executor)"):
                break
        os.close(pidfd)
print(len(met), hits)
"""


@pytest.mark.parametrize("open_program", [True, False])
def test_race_for_the_descriptors_at_the_start(manager, open_program):
    """From the first moment on: an attacker that waits for each new process takes nothing in 25 starts."""
    ready, end = "/tmp/dcm-test-race-ready", pathlib.Path("/tmp/dcm-test-race-end")
    os.mkfifo(ready)
    os.chmod(ready, 0o666)
    attacker = order(manager, RACE, arguments=[ready, str(end)])
    with open(ready, encoding="utf-8") as f:
        f.read()
    with readable() if open_program else contextlib.nullcontext():
        for _ in range(25):
            assert reply_to(manager, order(manager, "#!/bin/sh\nexit 0\n"))["return_code"] == 0
    end.touch()
    met, hits = map(int, reply_to(manager, attacker)["message"].split())
    os.unlink(ready)
    end.unlink()
    assert met > 0 and (hits > 0 if open_program else hits == 0)


SECRET = "canary-Rt5-secret"


@pytest.mark.parametrize("json_input", [False, True])
def test_secrets_are_closed_to_other_jobs(manager, gate, json_input):
    """dcm-run, the script and what the script starts; the secret is there for the script; sudo's way, a
    reload of systemd and an attacker in a user namespace of its own change nothing."""
    how = "input = json\n" if json_input else ""
    read = "secret=$(cat)" if json_input else "secret=$(cat \"$1\")"
    add("hidden", f"[command]\nhelp = x\n{how}[argument key]\nsecret = yes\nmandatory = yes\n",
        f"#!/bin/bash\n{read}\nsleep infinity &\nread -r line <{gate}\nkill %1\necho ${{#secret}}\n"
        "grep CapAmb /proc/self/status\n")
    load(manager)
    guid = str(uuid.uuid4())
    manager.request(guid, "hidden", {"key": SECRET})
    wait_running(guid)
    wait_for(lambda: "sleep" in run("systemctl", "status", unit_of(guid), check=False), "the child")
    assert attack(manager, guid) == {}
    run("systemctl", "daemon-reload")
    assert attack(manager, guid) == {}
    gate.write_text("x\n")
    reply = reply_to(manager, guid)
    size = len(SECRET) if not json_input else len(json.dumps({"key": SECRET}).replace(" ", ""))
    assert reply["return_code"] == 0 and int(reply["message"].split()[0]) >= size, reply


DUMP = """#!/bin/bash
for pid in $(</sys/fs/cgroup$1/cgroup.procs); do
    prlimit --pid $pid --core=unlimited:unlimited 2>/dev/null && echo limit raised
    grep '^Max core' /proc/$pid/limits
done
kill -ABRT $pid
"""


def test_secrets_are_not_dumped(manager, gate):
    """A signal of another job ends a script, but makes no file of its memory; of others the owner may want one."""
    home, allowed = pathlib.Path("/var/lib/dcm"), {}
    add("hidden", "[command]\nhelp = x\n[argument key]\nsecret = yes\n",
        f"#!/bin/bash\nread -r secret <\"$1\"\nread -r line <{gate}\n")
    add("plain", "[command]\nhelp = x\n[argument key]\n", f"#!/bin/bash\nread -r line <{gate}\n")
    load(manager)
    for name in ("plain", "hidden"):
        guid = str(uuid.uuid4())
        manager.request(guid, name, {"key": SECRET if name == "hidden" else "open"})
        wait_running(guid)
        group = show(unit_of(guid), "ControlGroup")
        wait_for(lambda g=group: len(run("cat", f"/sys/fs/cgroup{g}/cgroup.procs").split()) == 2, "the script")
        allowed[name] = reply_to(manager, order(manager, DUMP, arguments=[group]))["message"].splitlines()
        assert reply_to(manager, guid)["return_code"] != 0
    assert "limit raised" in allowed["plain"], "so it is tried"
    assert [line.split() for line in allowed["hidden"]] == 2 * [["Max", "core", "file", "size", "1", "1", "bytes"]]
    cores = list(home.glob("core*"))
    assert not [p for p in cores if SECRET.encode() in p.read_bytes()]
    for p in cores:
        p.unlink()


def test_secrets_are_closed_to_modules_in_the_home(manager):
    """Python runs a usercustomize.py of its user's before each script; another job of that user can write it."""
    stolen, packages = pathlib.Path("/tmp/dcm-test-stolen"), pathlib.Path("/var/lib/dcm/.local/lib")
    spy = f"open('{stolen}', 'a').write(repr([open(a).read() for a in sys.argv[1:]]))"
    read = "#!/usr/bin/python3\nimport sys\nprint(len(open(sys.argv[1]).read()))\n"
    add("hidden", "[command]\nhelp = x\n[argument key]\nsecret = yes\n", read)
    add("plain", "[command]\nhelp = x\n[argument path]\n", read)
    load(manager)
    reply = reply_to(manager, order(manager, f"""#!/bin/bash
d=$(python3 -m site --user-site)
mkdir -p "$d" && echo "import sys; {spy}" >"$d/usercustomize.py"
"""))
    assert reply["return_code"] == 0 and packages.exists(), reply
    try:
        assert do(manager, "plain", path="/etc/machine-id")["return_code"] == 0
        assert stolen.exists(), "so it is tried"
        assert do(manager, "hidden", key=SECRET)["message"] == f"{len(SECRET)}\n"
        assert SECRET not in stolen.read_text()
    finally:
        shutil.rmtree(packages)
        stolen.unlink(missing_ok=True)


def test_secrets_are_closed_to_processes_outside_of_jobs(manager, gate):
    """As cron starts them, or sshd: they have the mount namespace in which systemd keeps all credentials."""
    add("hidden", "[command]\nhelp = x\n[argument key]\nsecret = yes\nmandatory = yes\n",
        f"#!/bin/bash\nread -r line <{gate}\ncat \"$1\"\n")
    load(manager)
    guid = str(uuid.uuid4())
    manager.request(guid, "hidden", {"key": SECRET})
    wait_running(guid)
    path = f"/run/credentials/{unit_of(guid)}/key"
    assert pathlib.Path(path).read_text() == SECRET
    for command in (["cat", path], ["ls", "/run/credentials"]):
        done = subprocess.run(["setpriv", "--reuid=dcm", "--regid=dcm", "--init-groups", *command],
                              capture_output=True, text=True)
        assert done.returncode != 0 and "Permission denied" in done.stderr, done
    gate.write_text("x\n")
    assert reply_to(manager, guid)["message"] == SECRET


@contextlib.contextmanager
def drop_in(text):
    path = pathlib.Path("/run/systemd/system/dcm-job-.service.d/test.conf")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    run("systemctl", "daemon-reload")
    yield
    path.unlink()
    run("systemctl", "daemon-reload")


@pytest.mark.parametrize("json_input", [False, True])
def test_secrets_without_the_guard_are_not_given(manager, json_input):
    """Where systemd has not the capability to give, as in some containers, the script does not run; commands
    without secrets, and those of root, do."""
    how = "input = json\n" if json_input else ""
    add("hidden", f"[command]\nhelp = x\n{how}[argument key]\nsecret = yes\n", "#!/bin/bash\necho ran\n")
    add("asroot", f"[command]\nhelp = x\nuser = root\n{how}[argument key]\nsecret = yes\n", "#!/bin/bash\necho ran\n")
    add("plain", "[command]\nhelp = x\n[argument key]\n", "#!/bin/bash\necho ran\n")
    load(manager)
    with drop_in("[Service]\nCapabilityBoundingSet=~CAP_IPC_LOCK\n"):
        reply = do(manager, "hidden", key=SECRET)
        assert reply["return_code"] == 126 and reply["message"] == ""
        assert "CAP_IPC_LOCK is missing" in reply["error_message"]
        for name in ("asroot", "plain"):
            assert do(manager, name, key=SECRET)["message"] == "ran\n"
    assert do(manager, "hidden", key=SECRET)["message"] == "ran\n"


@pytest.fixture
def backup_user():
    run("useradd", "--system", "--create-home", "--home-dir", "/var/lib/dcm-test-backup", "dcmtestbackup")
    run("useradd", "--system", "--non-unique", "--uid", "0", "dcmtesttoor")
    yield "dcmtestbackup"
    run("userdel", "--force", "dcmtesttoor", check=False)
    run("userdel", "--remove", "dcmtestbackup")


def test_command_of_another_user(manager, gate, backup_user):
    """Its jobs are closed to those of dcm, the kill too; the policy's users apply."""
    add("backup", f"[command]\nhelp = x\nuser = {backup_user}\n[argument key]\nsecret = yes\n",
        f"#!/bin/bash\nid -un; echo $HOME; pwd; cat \"$1\"; echo\nread -r line <{gate}\n"
        "echo line >>$DCM_LOG_FILE\n")
    load(manager)
    guid = str(uuid.uuid4())
    manager.request(guid, "backup", {"key": SECRET})
    wait_running(guid)
    assert attack(manager, guid) == {}
    pids = run("cat", f"/sys/fs/cgroup/{show(unit_of(guid), 'ControlGroup')}/cgroup.procs").split()
    assert len(pids) == 2
    for pid in pids:
        assert reply_to(manager, order(manager, f"#!/bin/bash\nkill -KILL {pid}\n"))["return_code"] == 1
    gate.write_text("x\n")
    assert reply_to(manager, guid)["message"].splitlines() == [
        backup_user, "/var/lib/dcm-test-backup", "/var/lib/dcm-test-backup", SECRET]
    assert (JOBS / guid / "log").read_text() == "line\n"
    pathlib.Path("/etc/dcm-agent/policy.conf.d/users.conf").write_text("[policy]\nallow_users = dcm\n")
    assert "allow_users" in urllib.parse.unquote(do(manager, "backup", key=SECRET)["error_message"])


def test_command_of_a_user_that_cannot_be_meant(manager, backup_user):
    for name, words in (("dcmtestnobody", "is not in /etc/passwd"), ("dcmtesttoor", "has uid 0 like root")):
        add("strange", f"[command]\nhelp = x\nuser = {name}\n", "#!/bin/sh\ntouch /tmp/dcm-test-ran\n")
        load(manager)
        assert words in urllib.parse.unquote(do(manager, "strange")["error_message"])
    assert not os.path.exists("/tmp/dcm-test-ran")


def forged_record():
    lines = ["DCM_EXIT_RECORD=1", "KIND=exited", "STATUS=0", "REASON=none", "LEFT_BEHIND=0", "STARTED_USEC=1",
             "ENDED_USEC=2"]
    for stream in ("STDOUT", "STDERR"):
        lines += [f"{stream}_{key}=0" for key in ("TOTAL", "HEAD", "TAIL", "TAIL_OFFSET")]
        lines.append(f"{stream}_SHA256={EMPTY}")
    return "\n".join(lines + ["END=1", ""])


@pytest.mark.parametrize("agent_is_away", [False, True])
def test_record_that_systemd_contradicts(manager, gate, agent_is_away):
    """However a record came about: a unit that was killed is no success."""
    victim = order(manager, f"#!/bin/bash\nread -r line <{gate}\n")
    wait_running(victim)
    if agent_is_away:
        run("systemctl", "stop", "dcm-agent.service")
    (JOBS / victim / "exit").write_text(forged_record())
    os.kill(int(show(unit_of(victim), "MainPID")), signal.SIGKILL)
    if agent_is_away:
        wait_for(lambda: show(unit_of(victim), "Result") == "signal", "the end")
        run("systemctl", "start", "dcm-agent.service")
    reply = reply_to(manager, victim)
    assert reply["return_code"] == -signal.SIGKILL
    assert "'exited 0', contradicts systemd" in reply["error_message"]


def disk_usage(guid):
    return sum(p.lstat().st_blocks * 512 for p in (JOBS / guid).iterdir())


@pytest.mark.parametrize("killed", [False, True])
def test_what_a_job_writes_has_a_bound(manager, gate, killed):
    """Whatever it writes below /run/dcm-job, while it runs and after dcm-run was killed: no more than
    output_max, of which the last lines can still be read."""
    pathlib.Path("/etc/dcm-agent/policy.conf.d/test.conf").write_text(
        "[limits]\noutput_max = 128K\nwritable_paths = /tmp\n")
    guid = order(manager, f"""#!/bin/bash
ls /run/dcm-job
for file in /run/dcm-job/* /run/dcm-job/exit /run/dcm-job/new; do
    head -c 300000000 /dev/zero 2>/dev/null >$file
    head -c 300000000 /dev/zero 2>/dev/null >>$file
done
truncate -s 1G /run/dcm-job/log 2>/dev/null
fallocate -l 1G /run/dcm-job/log 2>/dev/null
for file in /dev/shm/x /dev/mqueue/x /dev/hugepages/x /var/tmp/x ~/x; do
    ( : >$file ) 2>/dev/null && echo $file is open
done
for i in {{1..2000}}; do echo line $i; done >>$DCM_LOG_FILE
echo written
read -r line <{gate}
""")
    wait_begun(guid)
    wait_for(lambda: "written" in (JOBS / guid / "stdout").read_text(), "the writing")
    wait_for(lambda: b"line 2000\n" in (JOBS / guid / "log").read_bytes(), "the lines")
    assert disk_usage(guid) < 300_000
    if killed:
        run("systemctl", "kill", "--signal=KILL", unit_of(guid))
    else:
        gate.write_text("x\n")
    reply = reply_to(manager, guid)
    assert reply["message"] == "log\nscript\nwritten\n" and disk_usage(guid) < 300_000
    assert reply["return_code"] == (-signal.SIGKILL if killed else 0)


def test_lines_before_a_kill_are_told(manager):
    """Of a script that kills itself at once."""
    guid = order(manager, "#!/bin/bash\necho last words >>$DCM_LOG_FILE; kill -KILL $$\n")
    assert reply_to(manager, guid)["return_code"] == -signal.SIGKILL
    assert (JOBS / guid / "log").read_text() == "last words\n"


def test_lines_before_dcm_run_is_killed_are_told(manager):
    """It has no time to copy them: it is stopped when they are written."""
    CONF.write_text(CONF.read_text() + "[logging]\nconsole_level = DEBUG\n")
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    guid = order(manager, "#!/bin/bash\nkill -STOP $PPID\necho last words >>$DCM_LOG_FILE\nkill -KILL $PPID\n")
    assert reply_to(manager, guid)["return_code"] == -signal.SIGKILL
    wait_for(lambda: any("last words" in urllib.parse.unquote(m["message"]) for m in manager.of_type("LOG")), "the line")


def test_shared_memory_that_the_owner_lets_jobs_write(manager):
    pathlib.Path("/etc/dcm-agent/policy.conf.d/test.conf").write_text("[limits]\nwritable_paths = /dev/shm\n")
    assert do(manager, "run_script", **script_arguments(
        "#!/bin/bash\necho x >/dev/shm/dcm-test && rm /dev/shm/dcm-test && echo written\n"))["message"] == "written\n"


def test_missing_interpreter_is_named(manager):
    reply = reply_to(manager, order(manager, "#!/bin/bash\r\necho x\r\n"))
    assert reply["return_code"] == 127 and "'/bin/bash\\r'" in reply["error_message"]
    assert "CR LF" in reply["error_message"]


def test_adoption_over_everything(manager, gate):
    """Agent and executor are killed, systemd reads its units again and executes itself: what dcm-run was
    given is its own."""
    guid = order(manager, f"#!/bin/bash\necho begin\nread -r line <{gate}\necho end\necho line >>$DCM_LOG_FILE\nexit 3\n")
    wait_running(guid)
    run("systemctl", "kill", "--signal=KILL", "dcm-agent.service", "dcm-agent-executor.service", check=False)
    run("systemctl", "daemon-reload")
    run("systemctl", "daemon-reexec")
    gate.write_text("x\n")
    reply = reply_to(manager, guid)
    assert (reply["return_code"], reply["message"]) == (3, "begin\nend\n")
    assert (JOBS / guid / "log").read_text() == "line\n"
