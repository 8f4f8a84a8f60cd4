# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: commands about the server itself. The system is looked at afterwards: names, hosts,
users, groups, sudo, keys, sessions. Each one is repeated, and given hostile input."""

import json
import os
import pathlib
import pwd
import re
import shutil
import stat
import subprocess
import urllib.parse
import uuid

import pytest

from agent_test import manager, reply_to, run, show, unit_of, wait_for  # noqa: F401

ADDRESS = "192.0.2.7"
HOSTS = pathlib.Path("/etc/hosts")
SUDOERS = pathlib.Path("/etc/sudoers.d")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJl3dIeudNqd0DPMRD6OIh65tQDbmzPbsVmOJhkNBYzq alice@example.org"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGP7A9Gfm5w6TnkFVN0Cg9Lx5bFwVu8mJ0fVY5bKXr5n bob"


@pytest.fixture(scope="module", autouse=True)
def address():
    run("ip", "link", "add", "dcm0", "type", "veth", "peer", "name", "dcm1")
    run("ip", "address", "add", f"{ADDRESS}/24", "dev", "dcm0")
    run("ip", "link", "set", "dcm0", "up")
    run("ip", "link", "set", "dcm1", "up")
    yield
    run("ip", "link", "delete", "dcm0")


@pytest.fixture
def hosts():
    """The host name and /etc/hosts are what they were afterwards."""
    before, name = HOSTS.read_bytes(), os.uname().nodename
    yield
    HOSTS.write_bytes(before)
    run("hostnamectl", "set-hostname", name)


@pytest.fixture
def users():
    """Names of users that are to go; yields a function that makes a name."""
    made = []

    def name(wanted):
        made.append(wanted)
        return wanted

    yield name
    for user in made:
        if exists(user):
            subprocess.run(["pkill", "-KILL", "-u", user])
            wait_for(lambda: subprocess.run(["userdel", "--force", "--remove", user],
                                            capture_output=True).returncode in (0, 6, 12), "userdel")
        subprocess.run(["groupdel", user], capture_output=True)
        (SUDOERS / f"dcm-agent-{user}").unlink(missing_ok=True)


def do(manager, command, **arguments):
    guid = str(uuid.uuid4())
    manager.request(guid, command, arguments)
    return reply_to(manager, guid)


def text_of(reply):
    return urllib.parse.unquote(reply["error_message"])


def exists(user):
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def groups(user):
    return set(run("id", "-nG", user).split())


# --- names --------------------------------------------------------------------------------------------


def test_rename(manager, hosts):
    HOSTS.write_bytes(b"127.0.0.1\tlocalhost\n# a comment\n\n  10.0.0.1 other # dcm\n::1 ip6-localhost")
    mode = HOSTS.stat().st_mode
    assert do(manager, "rename", serverName="web1")["return_code"] == 0
    assert os.uname().nodename == "web1" and run("hostnamectl", "--static").strip() == "web1"
    expected = (b"127.0.0.1\tlocalhost\n# a comment\n\n  10.0.0.1 other # dcm\n::1 ip6-localhost\n"
                b"192.0.2.7\tweb1 # dcm-agent\n")
    assert HOSTS.read_bytes() == expected
    assert run("getent", "ahostsv4", "web1").split()[0] == ADDRESS
    assert do(manager, "rename", serverName="web1")["return_code"] == 0
    assert HOSTS.read_bytes() == expected and HOSTS.stat().st_mode == mode
    assert do(manager, "rename", serverName="@db 2.example.org#")["return_code"] == 0
    assert os.uname().nodename == "db2.example.org"
    assert HOSTS.read_bytes() == expected.replace(b"web1", b"db2.example.org db2")
    assert not list(pathlib.Path("/etc").glob(".hosts*"))


def test_rename_in_the_line_of_debian(manager, hosts):
    run("hostnamectl", "set-hostname", "old")
    HOSTS.write_bytes(b"127.0.0.1\tlocalhost\n127.0.1.1\told.example.org old\n127.0.1.1 another\n")
    assert do(manager, "rename", serverName="new.example.com")["return_code"] == 0
    assert HOSTS.read_bytes() == b"127.0.0.1\tlocalhost\n127.0.1.1\tnew.example.com new\n127.0.1.1 another\n"


@pytest.mark.parametrize("name", ["@#@#$", "", ".....", "-a", "a-", "a..b", "a" * 64, "a" * 512, "a." * 127 + "ab"])
def test_name_that_is_none(manager, hosts, name):
    before = HOSTS.read_bytes(), os.uname().nodename
    assert do(manager, "rename", serverName=name)["return_code"] != 0
    assert do(manager, "rename", wrongName="x")["return_code"] != 0
    assert (HOSTS.read_bytes(), os.uname().nodename) == before


def test_hosts_that_cannot_be_written(manager, hosts):
    """The name does not change either, and nothing is left."""
    run("mount", "--bind", "/etc/hosts", "/etc/hosts")
    run("mount", "-o", "remount,bind,ro", "/etc/hosts")
    try:
        reply = do(manager, "rename", serverName="web9")
    finally:
        run("umount", "/etc/hosts")
    assert reply["return_code"] != 0 and "cannot be written" in reply["error_message"]
    assert os.uname().nodename != "web9" and not list(pathlib.Path("/etc").glob(".hosts*"))


def test_private_address(manager):
    assert do(manager, "get_private_ip_address")["reply_object"] == ADDRESS
    run("ip", "address", "add", "10.9.8.7/24", "dev", "dcm0")
    reply = do(manager, "get_private_ip_address")
    run("ip", "address", "delete", "10.9.8.7/24", "dev", "dcm0")
    assert (reply["reply_type"], reply["reply_object"]) == ("string", "10.9.8.7")


def test_list_devices(manager):
    """As a job, in its sandbox: a file system that everybody sees has the figures that df has."""
    reply = do(manager, "list_devices")
    assert (reply["return_code"], reply["reply_type"]) == (0, "device_mapping_array")
    root = [entry for entry in reply["reply_object"] if entry["mount_point"] == "/"][-1]
    kind, size = run("df", "--output=fstype,size", "-k", "/").splitlines()[1].split()
    assert root["device_type"] == "ROOT" and root["file_system"] == kind and root["encrypted"] is False
    for entry in reply["reply_object"]:
        assert {"device_id", "encrypted", "file_system", "mount_point", "size", "used", "device_type"} <= entry.keys()
        assert isinstance(entry["size"], int) and isinstance(entry["used"], int)
    if root.get("device"):
        assert root["size"] == int(size)


# --- initialize ---------------------------------------------------------------------------------------

IDENTITY = {"cloudId": "1", "customerId": 10, "regionId": "r", "zoneId": "z", "serverId": "s",
            "serverName": "app1", "encryptedEphemeralFsKey": "AAEC"}


def test_initialize(manager, hosts, users):
    users("c010")
    assert do(manager, "heartbeat")["reply_object"] == "STARTING"
    before = os.uname().nodename
    for wrong in ({"serverName": "....."}, {"customerId": -1}, {"customerId": "x"}, {"customerId": None}):
        assert do(manager, "initialize", **{**IDENTITY, **wrong})["return_code"] != 0
    assert os.uname().nodename == before and not exists("c010")
    assert do(manager, "heartbeat")["reply_object"] == "STARTING"
    reply = do(manager, "initialize", **IDENTITY)
    assert (reply["return_code"], reply["reply_type"]) == (0, "void"), reply
    assert os.uname().nodename == "app1" and exists("c010").pw_gecos == "Customer Account"
    assert do(manager, "heartbeat")["reply_object"] == "RUNNING"
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    assert do(manager, "heartbeat")["reply_object"] == "RUNNING"
    assert do(manager, "initialize", **IDENTITY)["return_code"] == 0, "again"
    assert "sudo" not in groups("c010")


def test_initialize_with_nulls(manager, hosts, users):
    """What is not used may be null, as managers of the Python agent have it; what is used may not."""
    users("c010")
    unused = {key: None for key in ("cloudId", "regionId", "zoneId", "serverId", "encryptedEphemeralFsKey")}
    for used in ("serverName", "customerId"):
        reply = do(manager, "initialize", **{**IDENTITY, used: None})
        assert reply["return_code"] == 1 and used in reply["error_message"]
    assert do(manager, "initialize", **{**IDENTITY, **unused})["return_code"] == 0


def test_initialize_by_the_administrators_own_script(manager, hosts, users):
    """A step that fails is told; scripts in /etc take the place of shipped ones, here too."""
    script = pathlib.Path("/etc/dcm-agent/scripts/addUser")
    script.write_text("#!/bin/bash\necho \"mine: $*\"\nexit 9\n")
    script.chmod(0o755)
    reply = do(manager, "initialize", **{**IDENTITY, "customerId": 7})
    script.write_text("")
    masked = do(manager, "initialize", **{**IDENTITY, "customerId": 7})
    script.unlink()
    assert masked["return_code"] == 1 and "addUser is masked" in masked["error_message"], masked
    assert reply["return_code"] == 9
    assert reply["message"].startswith("mine: c007 c007 Customer Account false\n")
    assert "making the customer's user failed with 9" in reply["message"]
    assert do(manager, "heartbeat")["reply_object"] == "STARTING"


# --- users --------------------------------------------------------------------------------------------


def key_file(user):
    return pathlib.Path(pwd.getpwnam(user).pw_dir) / ".ssh/authorized_keys"


def test_add_and_remove_a_user(manager, users):
    users("alice")
    reply = do(manager, "add_user", userId="alice", firstName="Alice", lastName="A: Lid,ell", authentication=KEY)
    assert (reply["return_code"], reply["reply_type"]) == (0, "void"), reply
    entry = exists("alice")
    assert entry.pw_uid >= 1000 and entry.pw_gecos == "Alice A  Lid ell" and entry.pw_shell == "/bin/bash"
    file = key_file("alice")
    for path, mode in ((file, 0o600), (file.parent, 0o700)):
        st = path.lstat()
        assert (stat.S_IMODE(st.st_mode), st.st_uid) == (mode, entry.pw_uid)
    assert file.read_text() == KEY + "\n"
    assert "sudo" not in groups("alice") and "not allowed" in run("sudo", "-l", "-U", "alice", check=False)
    assert do(manager, "add_user", userId="alice", authentication=KEY + "\n")["return_code"] == 0
    assert file.read_text() == KEY + "\n", "once"
    assert do(manager, "add_user", userId="alice", authentication=OTHER_KEY)["return_code"] == 0
    assert file.read_text() == f"{KEY}\n{OTHER_KEY}\n"
    reply = do(manager, "remove_user", userId="alice")
    assert reply["return_code"] == 0 and "alice" in reply["message"]
    assert not exists("alice") and not pathlib.Path(entry.pw_dir).exists()
    assert do(manager, "remove_user", userId="alice")["return_code"] == 0, "again"


def test_rights_are_changed_truly(manager, users):
    users("bob")
    rule = SUDOERS / "dcm-agent-bob"
    for wish in ("true", True):
        assert do(manager, "add_user", userId="bob", administrator=wish)["return_code"] == 0
        assert "sudo" in groups("bob")
        assert rule.read_text() == "bob ALL=(ALL) NOPASSWD: ALL\n" and stat.S_IMODE(rule.stat().st_mode) == 0o440
        assert "NOPASSWD: ALL" in run("sudo", "-l", "-U", "bob")
        assert run("runuser", "-u", "bob", "--", "sudo", "-n", "id", "-u") == "0\n"
    assert do(manager, "add_user", userId="bob", administrator="false")["return_code"] == 0
    assert "sudo" not in groups("bob") and not rule.exists()
    assert "not allowed" in run("sudo", "-l", "-U", "bob", check=False)
    assert do(manager, "add_user", userId="bob", administrator=True)["return_code"] == 0
    assert do(manager, "remove_user", userId="bob")["return_code"] == 0
    assert not rule.exists() and not exists("bob")


def test_broken_sudoers_get_no_rule(manager, users):
    """visudo is asked before the rule takes effect."""
    users("carol")
    visudo = pathlib.Path("/usr/sbin/visudo")
    real = visudo.with_suffix(".real")
    visudo.rename(real)
    visudo.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    visudo.chmod(0o755)
    try:
        reply = do(manager, "add_user", userId="carol", administrator=True)
    finally:
        real.replace(visudo)
    assert reply["return_code"] == 1 and "visudo does not take" in reply["error_message"]
    assert not [p for p in SUDOERS.iterdir() if "carol" in p.name]


@pytest.mark.parametrize("name", ["-x", "x-", "_x", "x_", "a b", "../x", "a'b", "$(id)", "a\n", "a\nb", "", "ä", "a" * 33,
                                  *"*&!?/\\.^$(){}[];|<>\"`~#"])
def test_names_of_users_that_are_none(manager, name):
    before = pathlib.Path("/etc/passwd").read_bytes()
    for command in ("add_user", "remove_user"):
        for tried in {name, f"a{name}b" if len(name) == 1 else name}:
            if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", tried) and len(tried) <= 32:
                continue
            reply = do(manager, command, userId=tried)
            assert reply["return_code"] != 0 and "not a valid user name" in text_of(reply), (command, tried)
    assert pathlib.Path("/etc/passwd").read_bytes() == before


@pytest.mark.parametrize("name", ["ALL", "FOO", "A1"])
def test_aliases_of_sudo_are_no_administrators(manager, users, name):
    """ALL would be everybody."""
    users(name)
    reply = do(manager, "add_user", userId=name, administrator=True)
    assert reply["return_code"] == 1 and "administrator's name" in reply["error_message"], reply
    assert not exists(name) and not [p for p in SUDOERS.iterdir() if name in p.name]


@pytest.mark.parametrize("key", [f"{KEY}\n{OTHER_KEY}", f"{KEY}\n\n\r", "no key", "ssh-rsa", f"command=\"x\n\" {KEY}",
                                 "x" * 100000])
def test_keys_that_are_none(manager, users, key):
    users("dave")
    reply = do(manager, "add_user", userId="dave", authentication=key)
    assert reply["return_code"] == 1, reply
    assert KEY.split()[1] not in json.dumps(reply) and not exists("dave")


def test_sudoers_that_were_broken_before_are_left_alone(manager, users):
    users("carol")
    other = SUDOERS / "zz-of-the-administrator"
    other.write_text("this is no rule\n")
    other.chmod(0o440)
    try:
        assert do(manager, "add_user", userId="carol", administrator=True)["return_code"] == 0
        assert (SUDOERS / "dcm-agent-carol").read_text() == "carol ALL=(ALL) NOPASSWD: ALL\n"
        assert other.read_text() == "this is no rule\n"
    finally:
        other.unlink()


def test_key_of_any_size_is_answered(manager, users):
    """Longer than an argument may be, and than what a job may be told."""
    users("dave")
    for size in (200_000, 1_000_000, 4_000_000):
        reply = do(manager, "add_user", userId="dave", authentication=KEY + "x" * size)
        assert reply["return_code"] != 0 and len(json.dumps(reply)) < 10_000 and not exists("dave")


# --- a full disk --------------------------------------------------------------------------------------


@pytest.fixture
def small_etc():
    """/etc on a small file system of its own; yields a function that fills it, and one that makes room."""
    small, filler = pathlib.Path("/run/small-etc"), pathlib.Path("/etc/filler")
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64m,mode=0755", "tmpfs", small)
    run("cp", "-a", "/etc/.", small)
    run("mount", "--bind", small, "/etc")
    run("systemctl", "stop", "systemd-hostnamed.service")  # which has the former one in its view

    def fill():
        with filler.open("wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(bytes(4096))

    yield fill, lambda: filler.unlink(missing_ok=True)
    run("systemctl", "stop", "systemd-hostnamed.service")
    run("umount", "/etc")
    run("umount", small)
    small.rmdir()


def test_full_disk_changes_nothing_and_afterwards_all_works(manager, small_etc, users, hosts):
    fill, make_room = small_etc
    files = [pathlib.Path(p) for p in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/hosts", "/etc/hostname")]
    name = os.uname().nodename
    users("erin")
    users("c010")
    orders = [("rename", {"serverName": "web7"}), ("add_user", {"userId": "erin", "administrator": True}),
              ("initialize", IDENTITY)]
    for command, arguments in orders:
        before = {p: p.read_bytes() for p in files if p.exists()}
        fill()
        reply = do(manager, command, **arguments)
        make_room()
        assert reply["return_code"] != 0 and reply["error_message"], (command, reply)
        assert {p: p.read_bytes() for p in files if p.exists()} == before, command
        assert os.uname().nodename == name
        assert not list(pathlib.Path("/etc").glob(".hosts*")) and not list(SUDOERS.glob(".*"))
    assert json.loads(run("dcm-agentctl", "users", "--json")) == []
    for command, arguments in orders:
        reply = do(manager, command, **arguments)
        assert reply["return_code"] == 0, (command, reply)
    assert exists("erin") and exists("c010") and os.uname().nodename == IDENTITY["serverName"]


def test_full_home_leaves_no_half_of_a_key(manager, users):
    """The user is there then, which the reply says; the key comes with the next order."""
    home = pathlib.Path("/home/frank")
    users("frank")
    assert do(manager, "add_user", userId="frank", authentication=KEY)["return_code"] == 0
    keys = home / ".ssh/authorized_keys"
    run("mount", "-t", "tmpfs", "-o", f"size=64k,uid={pwd.getpwnam('frank').pw_uid},mode=0700", "tmpfs", home)
    try:
        (home / ".ssh").mkdir(0o700)
        keys.write_text(OTHER_KEY + "\n")
        for path in (home / ".ssh", keys):
            shutil.chown(path, "frank")
        with (home / "filler").open("wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(bytes(4096))
        reply = do(manager, "add_user", userId="frank", authentication=KEY)
        assert reply["return_code"] != 0 and "No space left" in reply["error_message"]
        assert keys.read_text() == OTHER_KEY + "\n" and os.listdir(home / ".ssh") == ["authorized_keys"]
        (home / "filler").unlink()
        assert do(manager, "add_user", userId="frank", authentication=KEY)["return_code"] == 0
        assert keys.read_text() == f"{OTHER_KEY}\n{KEY}\n" and stat.S_IMODE(keys.stat().st_mode) == 0o600
    finally:
        run("umount", home)


# --- another family of systems --------------------------------------------------------------------------


@pytest.fixture
def programs():
    """Makes programs that are not here, in /usr/local/../sbin; each notes its arguments."""
    made, log = [], pathlib.Path("/run/programs.log")

    def make(name, status=0):
        path = pathlib.Path("/usr/sbin") / name
        assert not path.exists() or path in made
        path.write_text(f"#!/bin/sh\necho {name} \"$@\" >>{log}\nexit {status}\n")
        path.chmod(0o755)
        made.append(path)
        return log

    yield make
    for path in set(made):
        path.unlink()
    log.unlink(missing_ok=True)


def test_wheel_and_selinux_where_they_are_used(users, hosts, programs, tmp_path):
    """The scripts on a system of RHEL's family, which is chosen by its name."""
    scripts = pathlib.Path("/usr/lib/dcm-agent/scripts")
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    log = programs("selinuxenabled")
    programs("restorecon")
    programs("chcon")
    user = users("gina")
    users("wheel")
    environment = {**os.environ, "DCM_AGENT_PLATFORM_NAME": "rhel"}

    def script(name, *arguments):
        return subprocess.run([scripts / name, *arguments], env=environment, capture_output=True, text=True)

    done = script("addUser", user, user, "Gina", "G", "true", key)
    assert done.returncode == 0, done.stderr
    assert "wheel" in groups(user) and "sudo" not in groups(user)
    assert "(ALL) NOPASSWD: ALL" in run("sudo", "-l", "-U", user)
    assert "restorecon -R -- /home/gina/.ssh" in log.read_text()
    assert script("addUser", user, user, "Gina", "G", "false", key).returncode == 0
    assert "wheel" not in groups(user)
    programs("restorecon", 1)
    assert script("addUser", user, user, "Gina", "G", "false", key).returncode == 50
    assert script("rename", "web5", ADDRESS).returncode == 0
    assert "chcon --reference=/etc/hosts" in log.read_text() and os.uname().nodename == "web5"
    assert script("removeUser", user).returncode == 0 and not exists(user)


def test_key_follows_no_link(manager, users):
    """What a user puts in the way leads nowhere."""
    users("erin")
    assert do(manager, "add_user", userId="erin")["return_code"] == 0
    home = pathlib.Path(exists("erin").pw_dir)
    target = pathlib.Path("/root/target")
    target.write_text("x\n")
    (home / ".ssh").mkdir()
    (home / ".ssh/authorized_keys").symlink_to(target)
    run("chown", "-hR", "erin:", str(home / ".ssh"))
    assert do(manager, "add_user", userId="erin", authentication=KEY)["return_code"] == 1
    shutil.rmtree(home / ".ssh")
    (home / ".ssh").symlink_to("/root")
    assert do(manager, "add_user", userId="erin", authentication=KEY)["return_code"] == 1
    (home / ".ssh").unlink()
    (home / ".ssh").mkdir()
    (home / ".ssh/authorized_keys").write_text("no end of line")
    run("chown", "-R", "erin:", str(home / ".ssh"))
    assert do(manager, "add_user", userId="erin", authentication=KEY)["return_code"] == 0
    assert (home / ".ssh/authorized_keys").read_text() == f"no end of line\n{KEY}\n"
    assert target.read_text() == "x\n" and not pathlib.Path("/root/authorized_keys").exists()
    home.rename("/home/moved")
    home.mkdir()
    reply = do(manager, "add_user", userId="erin", authentication=OTHER_KEY)
    assert reply["return_code"] == 1 and "not his" in reply["error_message"]
    shutil.rmtree("/home/moved")


def test_users_that_the_agent_did_not_make(manager, users):
    users("frank")
    run("useradd", "--create-home", "frank")
    reply = do(manager, "remove_user", userId="frank")
    assert reply["return_code"] == 1 and "force removes" in reply["error_message"] and exists("frank")
    assert do(manager, "remove_user", userId="daemon")["return_code"] == 1 and exists("daemon")
    for user in ("root", "dcm", "dcm-agent"):
        for command in ("add_user", "remove_user"):
            assert do(manager, command, userId=user, force=True)["return_code"] == 1, (command, user)
    assert do(manager, "add_user", userId="daemon")["return_code"] == 1
    assert do(manager, "remove_user", userId="frank", force="yes")["return_code"] == 0
    assert not exists("frank")


def test_another_name_of_root_is_not_removed(manager):
    """His processes would be all of root's."""
    passwd = pathlib.Path("/etc/passwd")
    before = passwd.read_text()
    passwd.write_text(before + "toor:x:0:0::/nowhere:/bin/sh\n")
    reply = do(manager, "remove_user", userId="toor", force=True)
    passwd.write_text(before)
    assert reply["return_code"] == 1 and "another name of root" in reply["error_message"]


def test_status_of_a_program_that_fails_is_told(manager, users):
    users("ivan")
    run("mount", "--bind", "/etc/group", "/etc/group")  # so that nothing can take its place
    reply = do(manager, "add_user", userId="ivan")
    run("umount", "/etc/group")
    assert reply["return_code"] == 10, reply  # groupadd(8): can't update group file
    assert do(manager, "add_user", userId="ivan")["return_code"] == 0


def test_sessions_end_with_the_user(manager, users):
    users("grace")
    assert do(manager, "add_user", userId="grace")["return_code"] == 0
    run("systemd-run", "--quiet", "--unit=grace-session", "--uid=grace", "-p", "PAMName=login", "-p", "TTYPath=/dev/null",
        "bash", "-c", "trap '' TERM HUP; while :; do read -r -t 1000 <> <(:); done")
    wait_for(lambda: "grace" in run("loginctl", "list-sessions"), "the session")
    # its leader may still be root's, which becomes a process of the user when the login is complete
    leader = run("systemctl", "show", "--property=MainPID", "--value", "grace-session.service").strip()
    assert do(manager, "remove_user", userId="grace")["return_code"] == 0
    assert not exists("grace")
    assert not pathlib.Path("/proc", leader).exists()
    # logind forgets a session some time after its last process
    wait_for(lambda: "grace" not in run("loginctl", "list-sessions"), "the end of the session")
    run("systemctl", "reset-failed", "grace-session.service", check=False)


def test_names_that_are_parts_of_others(manager, users):
    """The former scripts edited sudoers by parts of names."""
    for user in ("al", "alf", "alfred"):
        users(user)
        assert do(manager, "add_user", userId=user, administrator=True)["return_code"] == 0
    assert do(manager, "remove_user", userId="al")["return_code"] == 0
    assert {p.name for p in SUDOERS.glob("dcm-agent-al*")} == {"dcm-agent-alf", "dcm-agent-alfred"}
    run("visudo", "-c")


# --- the end, and another version ---------------------------------------------------------------------


@pytest.fixture
def enabled():
    run("systemctl", "enable", "dcm-agent.service")
    yield
    run("systemctl", "disable", "dcm-agent.service")


def is_enabled():
    return run("systemctl", "is-enabled", "dcm-agent.service", check=False).strip()


@pytest.mark.parametrize("guid", ["t1", "x" + "ä" * 511], ids=["short", "longest"])
def test_terminate(manager, enabled, guid):
    """The reply comes first, and nothing stops before the manager has it."""
    manager.request(guid, "terminate", {"ignoreErrors": "false"})
    reply = manager.wait_message("REPLY", guid)
    assert reply["payload"]["return_code"] == 0
    manager.request("beat", "heartbeat")
    manager.wait_message("REPLY", "beat")
    assert is_enabled() == "enabled"
    manager.ack(reply)
    wait_for(lambda: show("dcm-agent.service", "ActiveState") == "inactive", "the end")
    assert is_enabled() == "disabled" and show("dcm-agent.socket", "ActiveState") == "inactive"
    run("systemctl", "start", "dcm-agent.service")
    manager.wait_offer(2)
    manager.request("after", "heartbeat")
    manager.wait_message("REPLY", "after")
    assert show("dcm-agent.service", "ActiveState") == "active", "an order is obeyed once"


def test_terminate_survives_a_kill(manager, enabled):
    """Between its reply and its end; the next process goes on."""
    manager.request("t2", "terminate")
    reply = manager.wait_message("REPLY", "t2")
    run("systemctl", "kill", "-s", "KILL", "dcm-agent.service")
    manager.wait_offer(2)
    manager.wait_message("REPLY", "t2", 2)
    manager.ack(reply)
    wait_for(lambda: show("dcm-agent.service", "ActiveState") == "inactive", "the end")
    assert is_enabled() == "disabled"


@pytest.mark.parametrize("ignore", [False, True])
def test_terminate_with_a_script_that_fails(manager, enabled, ignore):
    script = pathlib.Path("/etc/dcm-agent/scripts/terminate")
    script.write_text("#!/bin/sh\ntouch /run/dcm-test-terminate\nexit 7\n")
    script.chmod(0o755)
    marker = pathlib.Path("/run/dcm-test-terminate")
    assert do(manager, "terminate", ignoreErrors=str(ignore).lower())["return_code"] == 0
    wait_for(marker.exists, "the script")
    marker.unlink()
    script.unlink()
    if ignore:
        wait_for(lambda: show("dcm-agent.service", "ActiveState") == "failed", "the end")
        run("systemctl", "reset-failed", "dcm-agent.service")
    else:
        assert do(manager, "heartbeat")["return_code"] == 0
    assert is_enabled() == "enabled"


LIB = pathlib.Path("/usr/lib/dcm-agent")


def test_upgrade(manager, tmp_path):
    """The script of another version replaces the programs, restarts the agent, and goes on; the version that runs then
    delivers its reply, once."""
    programs = ("dcm-agentd", "dcm-executord", "dcm-run")
    for name in programs:
        shutil.copy2(LIB / name, tmp_path)
    version = manager.wait_offer()["version"]
    other = version[:-1] + ("8" if version[-1] == "9" else "9")
    script = tmp_path / "upgrade.sh"
    script.write_text(f"""#!/bin/bash
set -euo pipefail
echo "$1|$2|${{*:4}}"
grep -A1 '^\\[connection\\]' "$3"
grep token "$3" | grep -cv '^enrolment_token[a-z_]* = None$' || true
for name in {' '.join(programs)}; do
    LC_ALL=C sed 's/{re.escape(version)}/{other}/g' {LIB}/$name >{LIB}/$name.new
    chmod 755 {LIB}/$name.new
    mv {LIB}/$name.new {LIB}/$name
done
systemctl restart dcm-agent.service
systemctl is-active dcm-agent.service
{LIB}/dcm-agentd --version
exit 3
""")
    script.chmod(0o644)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        parent.chmod(parent.stat().st_mode | 0o055)
    guid = str(uuid.uuid4())
    manager.request(guid, "upgrade", {"newVersion": other, "url": f"file://{script}", "args": ["a b", "c"]})
    reply = manager.wait_message("REPLY", guid)
    for name in programs:
        shutil.copy2(tmp_path / name, LIB / f"{name}.new")
        (LIB / f"{name}.new").replace(LIB / name)
    assert manager.offers[-1]["version"] == other and len(manager.offers) == 2
    manager.ack(reply)
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(3)
    assert do(manager, "heartbeat")["return_code"] == 0
    assert len(manager.of_type("REPLY", guid)) == 1
    payload = reply["payload"]
    assert payload["return_code"] == 3, payload
    lines = payload["message"].splitlines()
    assert lines[0] == f"{other}|{version}|a b c" and lines[1] == "[connection]"
    assert lines[2] == f"agentmanager_url = {manager.url()}"
    assert lines[3:] == ["0", "active", f"dcm-agentd {other}"]


def test_upgrade_needs_a_source_that_is_sure(manager):
    for url in ("http://192.0.2.1/x", "ftp://x/y", "x"):
        reply = do(manager, "upgrade", newVersion="9", url=url, args=[])
        assert reply["return_code"] == 1 and "'checksum'" in text_of(reply) or "'url'" in text_of(reply)
    assert "The download failed" in text_of(do(manager, "upgrade", newVersion="9", url="file:///absent", args=[]))


# --- what is known of it ------------------------------------------------------------------------------


def test_users_are_listed(manager, users):
    users("heidi")
    agent_id = json.loads(run("dcm-agentctl", "--json", "status"))["AgentId"]
    assert do(manager, "add_user", userId="heidi", administrator=True)["return_code"] == 0
    row, = json.loads(run("dcm-agentctl", "--json", "users"))
    assert (row["name"], row["administrator"], row["agent_id"]) == ("heidi", True, agent_id)
    run("systemctl", "restart", "dcm-agent.service")
    manager.wait_offer(2)
    assert re.search(r"^heidi +administrator +\S+ +\w", run("dcm-agentctl", "users"), re.M)
    assert do(manager, "add_user", userId="-bad")["return_code"] != 0
    assert do(manager, "remove_user", userId="heidi")["return_code"] == 0
    assert json.loads(run("dcm-agentctl", "--json", "users")) == []


def test_sealed_token(manager):
    """Encrypted by the host's key, it is the same one; a manager that refuses it gets another, which stays."""
    token = pathlib.Path("/var/lib/dcm-agent/token")
    before = manager.wait_offer()["token"]
    assert token.read_text() == before
    dropin = pathlib.Path("/etc/systemd/system/dcm-agent.service.d/sealed-token.conf")
    try:
        run("dcm-agentctl", "seal-token", "host")
        assert manager.wait_offer(2)["token"] == before and not token.exists()
        sealed = pathlib.Path("/etc/dcm-agent/token.cred")
        assert stat.S_IMODE(sealed.stat().st_mode) == 0o600 and before not in sealed.read_text()
        assert before not in run("journalctl", "-b", "--all")
        assert subprocess.run(["dcm-agentctl", "seal-token", "host"], capture_output=True).returncode == 1
        manager.answers.append({"return_code": 409})
        run("dcm-agentctl", "reconnect")
        wait_for(token.exists, "another token")
        wait_for(lambda: manager.offers[-1]["token"] == token.read_text() != before, "it to be offered")
    finally:
        dropin.unlink()
        run("systemctl", "daemon-reload")


# --- dry runs -----------------------------------------------------------------------------------------


def fingerprint():
    """What the commands of this file change."""
    etc = pathlib.Path("/etc")
    files = [*(etc / name for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid", "hosts", "hostname")),
             *sorted(SUDOERS.glob("*")), *sorted(pathlib.Path("/home").rglob("*"))]
    return [(str(f), f.stat().st_mtime_ns, f.is_file() and f.read_bytes()) for f in files if f.exists()] + [
        os.uname().nodename, run("dcm-agentctl", "--json", "users")]


def test_dry_runs_change_nothing(manager, hosts, users):
    """They say what would be done, whether it can be done, and the agent remembers nothing of it."""
    user = users("dry1")
    before = fingerprint()

    def dry(command, **arguments):
        reply = do(manager, command, dry_run=True, **arguments)
        assert fingerprint() == before, command
        return reply

    reply = dry("add_user", userId=user, firstName="Dry", administrator=True, authentication=KEY)
    assert (reply["return_code"], reply["message"]) == (
        0, f"The user {user} would be created\nThe home /home/{user} would be created\n"
        "The key would be one of the authorized keys\nThe user would be an administrator\n"), reply
    assert dry("add_user", userId="root")["return_code"] == 1
    assert dry("remove_user", userId=user)["message"] == f"There is no user {user}\n"
    reply = dry("rename", serverName="dry.example.org")
    assert (reply["return_code"], reply["message"]) == (
        0, f"The host name would be dry.example.org instead of {os.uname().nodename}\n/etc/hosts would be changed\n")
    assert dry("rename", serverName="127.0.0.1")["return_code"] == 1
    ids = dict.fromkeys(("cloudId", "regionId", "zoneId", "serverId", "encryptedEphemeralFsKey"))
    reply = dry("initialize", customerId=77, serverName="dry", **ids)
    assert reply["return_code"] == 0 and "would be dry instead of" in reply["message"]
    assert "The user c077 would be created\n" in reply["message"]
    assert do(manager, "heartbeat")["reply_object"] != "RUNNING"

    assert do(manager, "add_user", userId=user, administrator=True)["return_code"] == 0
    before = fingerprint()
    reply = dry("add_user", userId=user, firstName="New")
    assert reply["message"] == (f"The user {user} is there already\nThe name of the person would be 'New' instead of ''\n"
                                "The user would be no administrator any more\n")
    assert f"The user {user} (uid " in (reply := dry("remove_user", userId=user))["message"]
    assert f"The home /home/{user} would be removed\n" in reply["message"]
    assert do(manager, "remove_user", userId=user)["return_code"] == 0 and not exists(user)


def test_dry_run_does_not_run_what_the_site_has_put_in_place(manager, hosts, tmp_path):
    """It knows nothing of dry runs, unless a file of the site says so."""
    marker = pathlib.Path("/run/dcm-test-dry")
    scripts, files = pathlib.Path("/etc/dcm-agent/scripts"), pathlib.Path("/etc/dcm-agent/commands.d")
    ids = dict.fromkeys(("cloudId", "regionId", "zoneId", "serverId", "encryptedEphemeralFsKey"))
    try:
        for name in ("rename", "removeUser.pre", "removeUser.post"):
            (scripts / name).write_text(f"#!/bin/sh\necho site >>{marker}\n")
            (scripts / name).chmod(0o755)
        reply = do(manager, "rename", serverName="dry", dry_run=True)
        assert "rename replaces the script of rename and may not support dry_run" in text_of(reply)
        assert do(manager, "remove_user", userId="dry2", dry_run=True)["message"] == "There is no user dry2\n"
        reply = do(manager, "initialize", customerId=77, serverName="dry", dry_run=True, **ids)
        assert reply["return_code"] == 0, reply
        assert reply["message"].startswith("The site's own script /etc/dcm-agent/scripts/rename would be run\n")
        assert not marker.exists()
        assert do(manager, "remove_user", userId="dry2")["return_code"] == 0
        assert marker.read_text() == "site\n" * 2
        text = pathlib.Path("/usr/lib/dcm-agent/commands.d/rename.conf").read_text()
        (files / "rename.conf").write_text(text)
        assert do(manager, "rename", serverName="dry", dry_run=True)["return_code"] == 0
        assert marker.read_text() == "site\n" * 3
    finally:
        for path in (*scripts.glob("*"), *files.glob("*")):
            path.unlink()
        marker.unlink(missing_ok=True)


@pytest.mark.parametrize("spoil, why", [(lambda p: p.chmod(0o775), "group or others can write it"),
                                        (lambda p: shutil.chown(p, "dcm"), "root does not own it"),
                                        (lambda p: (p.unlink(), p.mkdir()), "not a regular file"),
                                        (lambda p: (p.unlink(), p.symlink_to("/nowhere")), "leads nowhere"),
                                        (lambda p: (p.unlink(), p.symlink_to("/dev/null")), "is masked"),
                                        (lambda p: p.write_text(""), "is masked")])
def test_initialize_runs_no_script_that_others_could_have_written(manager, hosts, spoil, why):
    """Those that it runs are root's alone, as everything that the agent runs."""
    marker, script = pathlib.Path("/run/dcm-test-trust"), pathlib.Path("/etc/dcm-agent/scripts/addUser")
    ids = dict.fromkeys(("cloudId", "regionId", "zoneId", "serverId", "encryptedEphemeralFsKey"))
    script.write_text(f"#!/bin/sh\ntouch {marker}\n")
    script.chmod(0o755)
    spoil(script)
    name = os.uname().nodename
    try:
        reply = do(manager, "initialize", customerId=78, serverName="trust", **ids)
        assert reply["return_code"] == 1 and why in reply["error_message"], reply
        assert not marker.exists() and os.uname().nodename == name
    finally:
        script.rmdir() if script.is_dir() and not script.is_symlink() else script.unlink()
        marker.unlink(missing_ok=True)
