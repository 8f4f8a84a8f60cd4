# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: each script that changes users, names and the agent itself can be run again, wherever it was cut
off. Each external program that it calls fails in turn, at each of its calls: without having done anything, after having
done it, or with the script killed there; programs that write several files are also killed between them. Then the script
runs again unhindered, and the machine must be as an undisturbed run leaves it. And two at once take turns.

Environment: DCM_FAULTS, quick (every sixth call, from one that DCM_FAULTS_SEED chooses, fails in one of the ways) or full (each
call in each way)."""

import fcntl
import os
import pathlib
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "booted"))

import python_agent  # noqa: E402
from agent_test import CONF, manager, run, show, wait_for  # noqa: E402, F401

HERE = pathlib.Path("/run/repeat")
SCRIPTS = pathlib.Path("/usr/lib/dcm-agent/scripts")
LOCK = pathlib.Path("/run/dcm-agent-scripts.lock")
FILES = [pathlib.Path("/etc", name) for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid", "hosts", "hostname")]
TREES = [pathlib.Path(name) for name in ("/home", "/etc/sudoers.d", "/var/mail", "/var/spool/cron", "/var/lib/systemd/linger")]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJl3dIeudNqd0DPMRD6OIh65tQDbmzPbsVmOJhkNBYzq kim"
KEY_FILE = pathlib.Path("/run/repeat-key")
SHELLS = ("bash", "dash", "sh")  # what the wrapper itself runs in

# Notes the call; if it is the planned one it goes wrong. It calls no other program before that.
WRAPPER = """#!/run/repeat/bin/dash
name=${0##*/}
real=/run/repeat/${0%/*}
real=/run/repeat/${real##*/}/$name
[ ! -L "/run/repeat/alternatives/$name" ] || real=/run/repeat/alternatives/$name
if [ -e /run/repeat/plan ]; then
    i=1
    set -C
    until (: >"/run/repeat/calls/$name.$i") 2>/dev/null; do i=$((i + 1)); done
    set +C
    read -r planned mode </run/repeat/plan
    if [ "$name.$i" = "$planned" ]; then
        case $mode in
        before) exit 1 ;;
        after) "$real" "$@"; exit 1 ;;
        kill) kill -KILL 0 ;;
        rename-*) exec /run/repeat/bin/strace -f -qq -o /dev/null -e trace=rename,renameat,renameat2 \
            -e "inject=rename,renameat,renameat2:signal=KILL:when=${mode#rename-}" "$real" "$@" ;;
        esac
    fi
fi
exec "$real" "$@"
"""


@pytest.fixture(scope="module", autouse=True)
def wrappers():
    """Directories that the scripts find in the places of /usr/bin and /usr/sbin."""
    HERE.mkdir()
    (HERE / "wrapper").write_text(WRAPPER)
    (HERE / "wrapper").chmod(0o755)
    (HERE / "alternatives").mkdir()
    for kind in ("bin", "sbin"):
        folder = HERE / f"wrapped-{kind}"
        folder.mkdir()
        for name in os.listdir(f"/usr/{kind}"):
            program = pathlib.Path(f"/usr/{kind}/{name}")
            if program.is_symlink() and os.readlink(program).startswith("/etc/"):  # it leads back to a wrapper
                (HERE / "alternatives" / name).symlink_to(str(program.resolve()).replace("/usr/", "/run/repeat/"))
            (folder / name).symlink_to(f"/run/repeat/{kind}/{name}" if name in SHELLS else HERE / "wrapper")
        (HERE / kind).mkdir()
        run("mount", "--bind", f"/usr/{kind}", HERE / kind)
    KEY_FILE.write_text(KEY)
    yield
    print(f"\nDCM_FAULTS_SEED={SEED}")
    print(f"faults injected: {len(injected)}, invariants violated: {len(violated)}")
    for kind in ("bin", "sbin"):
        run("umount", HERE / kind)
    shutil.rmtree(HERE)
    KEY_FILE.unlink()


def run_script(command, plan=None):
    """Its exit status, and the calls of programs in it if they were noted."""
    shutil.rmtree(HERE / "calls", ignore_errors=True)
    (HERE / "calls").mkdir()
    (HERE / "calls").chmod(0o777)  # parts of a script run as the user
    (HERE / "plan").write_text(f"{plan or 'none none'}\n")
    hide = "".join(f"mount --bind /run/repeat/wrapped-{kind} /usr/{kind}; " for kind in ("bin", "sbin"))
    hide = hide.replace("; mount", "; /run/repeat/bin/mount")
    done = subprocess.run(["unshare", "--mount", "--propagation=private", "bash", "-c", f'set -e; {hide}exec "$@"', "x", *command],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True, timeout=120)
    (HERE / "plan").unlink()
    return done, sorted(os.listdir(HERE / "calls"))


# --- the state of the machine ---------------------------------------------------------------------------


def describe(path):
    st = path.lstat()
    if path.is_symlink():
        content = os.readlink(path)
    else:
        content = path.read_bytes() if path.is_file() else None
    return stat.filemode(st.st_mode), st.st_uid, st.st_gid, content


def state():
    found = {str(path): describe(path) for path in FILES if path.exists()}
    for tree in TREES:
        for path in sorted(tree.rglob("*")):
            found[str(path)] = describe(path)
    # a former file of useradd and its like, and what they leave when they are killed and themselves clear away
    found["/etc"] = sorted(name for name in os.listdir("/etc") if not re.fullmatch(r"(passwd|group|g?shadow|sub[ug]id)(-|\+|\.lock|\.\d+)", name))
    found["name"] = os.uname().nodename
    return found


def differences(a, b):
    """Of files and lists, the lines that only one of them has."""
    found = {}
    for key in sorted(a.keys() | b.keys()):
        if a.get(key) != b.get(key):
            lines = [set(repr(x.get(key)).replace("\\n", "\n").replace(", ", "\n").splitlines()) for x in (a, b)]
            found[key] = sorted(lines[0] - lines[1]), sorted(lines[1] - lines[0])
    return found


class Machine:
    """What is changed, as it was."""

    def __init__(self):
        self.name = os.uname().nodename
        self.copy = HERE / "copy"
        for path in (*FILES, *TREES):
            if path.exists():
                run("mkdir", "-p", f"{self.copy}{path.parent}")
                run("cp", "-a", path, f"{self.copy}{path}")

    def restore(self):
        run("umount", "/etc/hosts", check=False)
        for path in (*FILES, *TREES):
            saved = pathlib.Path(f"{self.copy}{path}")
            run("rm", "-rf", path) if path not in TREES else [run("rm", "-rf", p) for p in path.glob("*")] + [
                run("rm", "-rf", p) for p in path.glob(".*")]
            if saved.exists():
                run("cp", "-aT", saved, path)
        for pattern in ("[a-z]*.lock", ".hosts*", "*+"):
            for path in pathlib.Path("/etc").glob(pattern):
                path.unlink()
        if os.uname().nodename != self.name:
            run("hostnamectl", "set-hostname", self.name)

    def forget(self):
        self.restore()
        shutil.rmtree(self.copy)


@pytest.fixture
def machine():
    machine = Machine()
    yield machine
    machine.forget()


# --- what is run ----------------------------------------------------------------------------------------


def nothing():
    pass


def make_kim(*arguments):
    run(SCRIPTS / "addUser", "kim", "kim", "Kim", "K", *arguments)


def kim_without_a_home():
    run("useradd", "--no-create-home", "kim")


def kim_with_all():
    make_kim("true", KEY_FILE)
    uid = run("id", "-u", "kim").strip()
    for path in ("/var/mail/kim", "/var/spool/cron/crontabs/kim", "/var/spool/cron/atjobs/a1", "/var/lib/systemd/linger/kim"):
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(path).write_text("x\n")
        run("chown", f"+{uid}", path)
    process = subprocess.Popen(["setpriv", f"--reuid=+{uid}", "--regid=0", "--clear-groups", "sleep", "infinity"])
    threading.Thread(target=process.wait, daemon=True).start()  # who has ended is gone


def debian_name():
    pathlib.Path("/etc/hosts").write_text(f"127.0.0.1\tlocalhost\n127.0.1.1\t{os.uname().nodename}.example.org\n# the end")


def hosts_on_a_mount_point():
    """Whose line gets shorter."""
    outside = HERE / "hosts"
    outside.write_text("127.0.0.1\tlocalhost\n192.0.2.7\ta-long-name.example.org a-long-name # dcm-agent\n# more\n")
    run("mount", "--bind", outside, "/etc/hosts")


ADD = [SCRIPTS / "addUser", "kim", "kim", "Kim", "K"]
RENAME = [SCRIPTS / "rename", "web1.example.org", "192.0.2.7"]
SCENARIOS = {
    "an administrator": (nothing, [*ADD, "true", KEY_FILE]),
    "a user": (nothing, [*ADD, "false"]),
    "rights are taken": (lambda: make_kim("true"), [*ADD, "false", KEY_FILE]),
    "a home is made": (kim_without_a_home, [*ADD, "true", KEY_FILE]),
    "removal": (kim_with_all, [SCRIPTS / "removeUser", "kim", "ours"]),
    "rename": (nothing, RENAME),
    "rename in a line": (debian_name, RENAME),
    "rename in place": (hosts_on_a_mount_point, RENAME),
    "initialize": (nothing, [SCRIPTS / "initialize", "web1", "192.0.2.7", "c010"]),
    "a user of a service": (nothing, [SCRIPTS / "addServiceUser", "kim", "/srv/dcm/services/a1"]),
}
MODES = ("before", "after", "kill")
KILLED_INSIDE = {"useradd": 6, "userdel": 6, "usermod": 4, "gpasswd": 2, "chage": 1, "groupdel": 2}  # files that it writes
FULL = os.environ.get("DCM_FAULTS") == "full"
SEED = int(os.environ.get("DCM_FAULTS_SEED", random.randrange(1000)))
injected, violated = [], []


def plans(calls):
    seen = set()
    for i, call in enumerate(calls, SEED):
        if not FULL and i % 6:
            continue
        program = call.split(".")[0]
        yield from (f"{call} {mode}" for mode in (MODES if FULL else (MODES[i // 6 % 3],)))
        if FULL or program not in seen:
            yield from (f"{call} rename-{k}" for k in range(1, 1 + KILLED_INSIDE.get(program, 0)))
        seen.add(program)


def inject(command, calls, restore, state_now, right, is_done_already=lambda second: second.returncode == 0):
    """What is wrong after each of the faults."""
    wrong = []
    for plan in plans(calls):
        injected.append(plan)
        restore()
        first, _ = run_script(command, plan)
        after_first = differences(state_now(), right)
        second, _ = run_script(command)
        left = differences(state_now(), right)
        if first.returncode == 0 and after_first or not is_done_already(second) or left:
            wrong.append((plan, first.returncode, first.stderr[-200:], after_first if first.returncode == 0 else None,
                          second.returncode, second.stderr[-200:], left))
        elif first.returncode != 0 and plan.endswith(("before", "after")) and not first.stderr + first.stdout:
            wrong.append((plan, "it does not say why"))
    violated.extend(wrong)
    return wrong


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_second_run_ends_in_the_right_state(machine, scenario):
    prepare, command = SCENARIOS[scenario]

    def restore():
        machine.restore()
        prepare()

    prepare()
    before = state()
    done, calls = run_script(command)
    assert done.returncode == 0, done.stderr
    right = state()
    assert right != before and calls
    assert not (wrong := inject(command, calls, restore, state, right)), "\n".join(map(str, wrong))


# --- scripts about the agent itself ---------------------------------------------------------------------

TOKEN = pathlib.Path("/var/lib/dcm-agent/token")
SEALED = pathlib.Path("/etc/dcm-agent/token.cred")
DROPIN = pathlib.Path("/etc/systemd/system/dcm-agent.service.d")


def test_token_is_sealed_by_a_second_run(manager):
    """The agent has the same token at any time, and runs afterwards. A run that has only failed to restart it has sealed
    the token: the next one says so."""
    token = TOKEN.read_text()
    command = ["/usr/lib/dcm-agent/seal-token", "host"]

    def state_now():
        secret = subprocess.run(["systemd-creds", "decrypt", "--name=token", SEALED, "-"], capture_output=True, text=True).stdout
        return {"sealed": secret, "mode": SEALED.exists() and SEALED.stat().st_mode, "plain": TOKEN.exists(),
                "files": sorted(p.name for p in TOKEN.parent.glob("token*")), "etc": sorted(os.listdir(SEALED.parent)),
                "drop-in": [p.read_text() for p in DROPIN.glob("*")], "active": show("dcm-agent.service", "ActiveState"),
                "loads": show("dcm-agent.service", "LoadCredentialEncrypted")}

    def restore():
        run("systemctl", "stop", "dcm-agent.service")
        shutil.rmtree(DROPIN, ignore_errors=True)
        for path in (SEALED, *TOKEN.parent.glob("token*")):
            path.unlink(missing_ok=True)
        TOKEN.write_text(token)
        TOKEN.chmod(0o600)
        shutil.chown(TOKEN, "dcm-agent", "dcm-agent")
        run("systemctl", "daemon-reload")
        run("systemctl", "reset-failed", "dcm-agent.service", check=False)
        run("systemctl", "start", "dcm-agent.service")

    try:
        restore()
        done, calls = run_script(command)
        assert done.returncode == 0, done.stderr
        right = state_now()
        assert right["sealed"] == token and not right["plain"] and right["active"] == "active"
        wrong = inject(command, calls, restore, state_now, right,
                       lambda second: second.returncode == 0 or "sealed already" in second.stderr)
        assert not wrong, "\n".join(map(str, wrong))
        n = len(manager.offers)
        run("systemctl", "restart", "dcm-agent.service")
        assert manager.wait_offer(n + 1) and {offer["token"] for offer in manager.offers} == {token}
    finally:
        restore()


def test_link_in_the_place_of_the_token_leads_root_nowhere(manager):
    """Its directory is the agent's."""
    run("systemctl", "stop", "dcm-agent.service")
    secret = pathlib.Path("/root/secret")
    secret.write_text("s" * 80)
    secret.chmod(0o600)
    TOKEN.unlink()
    TOKEN.symlink_to(secret)
    done = subprocess.run(["dcm-agentctl", "seal-token", "host"], capture_output=True, text=True)
    assert done.returncode != 0 and secret.read_text() == "s" * 80 and not SEALED.exists()
    TOKEN.unlink()
    secret.unlink()


def test_end_is_reached_by_a_second_run(manager):
    command = [SCRIPTS / "terminate"]

    def state_now():
        wait_for(lambda: not show("dcm-agent.service", "Job"), "systemd")
        return {name: show("dcm-agent.service", name) for name in ("ActiveState", "UnitFileState")}

    def restore():
        run("systemctl", "enable", "dcm-agent.service")
        run("systemctl", "start", "dcm-agent.service")

    restore()
    done, calls = run_script(command)
    assert done.returncode == 0, done.stderr
    right = state_now()
    assert right == {"ActiveState": "inactive", "UnitFileState": "disabled"}
    wrong = inject(command, calls, restore, state_now, right)
    assert not wrong, "\n".join(map(str, wrong))


# --- taking over from the Python agent ------------------------------------------------------------------

STATE = TOKEN.parent
ETC = SEALED.parent
DCM = pathlib.Path("/dcm")
RECORD = pathlib.Path("/var/lib/dcm-migration")
INIT = pathlib.Path("/etc/init.d/dcm-agent")
LINK = pathlib.Path("/etc/rc3.d/S20dcm-agent")
MIGRATE = ["/usr/lib/dcm-agent/migrate"]


class PythonAgent:
    """What it has left, and this agent before it was ever started."""

    def __init__(self):
        run("systemctl", "stop", "dcm-agent.service")
        self.copy = HERE / "before-migration"
        self.copy.mkdir()
        for path in (ETC, STATE):
            if path.exists():
                run("cp", "-aT", path, self.copy / path.parent.name)
        python_agent.write_tree(DCM)

    def restore(self):
        for path in (ETC, STATE, RECORD):
            shutil.rmtree(path, ignore_errors=True)
        run("cp", "-aT", self.copy / "etc", ETC)
        for path in (INIT, LINK):
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
        INIT.write_text("#!/bin/sh\n")
        LINK.symlink_to("../init.d/dcm-agent")

    def forget(self):
        self.restore()
        shutil.rmtree(STATE, ignore_errors=True)
        if (self.copy / "lib").exists():
            run("cp", "-aT", self.copy / "lib", STATE)
        for path in (DCM, self.copy):
            shutil.rmtree(path)
        for path in (INIT, LINK):
            path.unlink()

    @staticmethod
    def state():
        found = {str(path): describe(path) for top in (ETC, STATE) for path in sorted(top.rglob("*")) if "requests.db" not in path.name}
        if (STATE / "requests.db").exists():
            with sqlite3.connect(f"file:{STATE}/requests.db?immutable=1", uri=True) as db:
                found |= {table: sorted(map(repr, db.execute(f"SELECT {columns} FROM {table}"))) for table, columns in (
                    ("requests", "guid, state, command, agent_id"), ("users", "name, administrator"),
                    ("alerts", "state, level, rule"), ("meta", "key, value"))}
        return found | {"init": INIT.exists(), "link": LINK.is_symlink(), "done": (RECORD / "done").exists()}


@pytest.fixture
def python():
    python = PythonAgent()
    yield python
    python.forget()


def test_migration_is_completed_by_a_second_run(python):
    python.restore()
    done, calls = run_script(MIGRATE)
    assert done.returncode == 0, done.stderr
    right = python.state()
    assert right["done"] and not right["link"] and len(right["requests"]) == len(python_agent.ROWS)
    assert not (wrong := inject(MIGRATE, calls, python.restore, python.state, right)), "\n".join(map(str, wrong))


def test_migration_is_undone_by_a_second_run(python):
    """Wherever the way back was cut off; one that was complete says that there is nothing to undo."""
    python.restore()
    right = python.state()

    def restore():
        python.restore()
        done, _ = run_script(MIGRATE)
        assert done.returncode == 0, done.stderr

    restore()
    done, calls = run_script([*MIGRATE, "--undo"])
    assert done.returncode == 0 and not differences(python.state(), right), done.stderr
    wrong = inject([*MIGRATE, "--undo"], calls, restore, python.state, right,
                   lambda second: second.returncode == 0 or "it is undone already" in second.stderr)
    assert not wrong, "\n".join(map(str, wrong))


# --- two at once ----------------------------------------------------------------------------------------


def waits_for_lock():
    inode = LOCK.stat().st_ino
    return any("->" in line and f":{inode} " in line for line in pathlib.Path("/proc/locks").read_text().splitlines())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_one_at_a_time(machine, scenario):
    """While another one has its turn, nothing is done."""
    prepare, command = SCENARIOS[scenario]
    prepare()
    before = state()
    LOCK.touch(0o600)
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(waits_for_lock, "the script to wait")
        assert state() == before
    assert process.wait(60) == 0 and state() != before


def test_many_at_once(machine):
    """Each is done as if it were alone, those for the same user too."""
    processes = [subprocess.Popen([SCRIPTS / "addUser", f"user{i % 6}", f"user{i % 6}", "U", str(i % 6), "true", KEY_FILE])
                 for i in range(12)]
    processes += [subprocess.Popen(RENAME), subprocess.Popen([SCRIPTS / "removeUser", "nobody-there"], stdout=subprocess.DEVNULL)]
    assert [process.wait(120) for process in processes] == [0] * len(processes)
    together = state()
    for i in range(6):
        keys = pathlib.Path(f"/home/user{i}/.ssh/authorized_keys")
        assert keys.read_text() == KEY + "\n" and keys.owner() == f"user{i}"
        assert "sudo" in run("id", "-nG", f"user{i}") and pathlib.Path(f"/etc/sudoers.d/dcm-agent-user{i}").exists()
    assert together["name"] == "web1.example.org"


def test_lock_cannot_be_held_by_others(machine):
    make_kim("true", KEY_FILE)
    assert stat.S_IMODE(LOCK.stat().st_mode) == 0o600 and LOCK.stat().st_uid == 0
    done = subprocess.run(["setpriv", "--reuid=kim", "--regid=kim", "--clear-groups", "flock", "--nonblock", LOCK, "true"],
                          capture_output=True)
    assert done.returncode != 0
