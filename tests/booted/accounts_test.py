# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: add_user and remove_user look before they act. Names that are somebody else's, numbers that are
taken for names, users of a directory service, homes, passwords that get old, and what remains of a user."""

import grp
import json
import os
import pathlib
import pwd
import re
import shutil
import stat
import subprocess
import threading

import pytest

from agent_test import manager, run, wait_for  # noqa: F401
from server_test import KEY, SUDOERS, address, do, exists, groups, key_file, users  # noqa: F401

PASSWD, GROUP, SHADOW = (pathlib.Path("/etc", name) for name in ("passwd", "group", "shadow"))
SAMPLE = 30  # see sampling.py
SCRIPTS = pathlib.Path("/usr/lib/dcm-agent/scripts")
USERDB = pathlib.Path("/run/userdb")


def account_files():
    return {name: pathlib.Path("/etc", name).read_bytes() for name in ("passwd", "group", "shadow", "gshadow")}


@pytest.fixture
def unchanged():
    """Nothing of this may differ afterwards."""
    before = account_files(), sorted(os.listdir("/home")), sorted(os.listdir(SUDOERS))
    yield
    assert (account_files(), sorted(os.listdir("/home")), sorted(os.listdir(SUDOERS))) == before


def process_of(user_id):
    """A process of this number, which no session has."""
    process = subprocess.Popen(["setpriv", f"--reuid=+{user_id}", f"--regid=+{user_id}", "--clear-groups", "sleep", "infinity"])
    wait_for(lambda: f"Uid:\t{user_id}\t" in pathlib.Path(f"/proc/{process.pid}/status").read_text(), "the process")
    threading.Thread(target=process.wait, daemon=True).start()  # who has ended is gone
    return process


@pytest.fixture
def processes():
    started = []

    def start(user_id):
        started.append(process_of(user_id))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def script(name, *arguments):
    return subprocess.run([SCRIPTS / name, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)


# --- names that are somebody else's ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["shadow", "disk", "adm", "sudo", "staff", "users", "tty", "utmp", "nogroup"])
@pytest.mark.parametrize("administrator", [False, True])
def test_name_of_a_group_of_the_system(manager, unchanged, name, administrator):
    reply = do(manager, "add_user", userId=name, administrator=administrator, authentication=KEY)
    assert reply["return_code"] == 1 and ("there is a group" in (text := reply["error_message"]) or "a group of this" in text), reply


@pytest.mark.parametrize("member", [None, "nobody"])
def test_name_of_any_other_group(manager, member):
    """Also one of an administrator's own, with a number like those of users, and without a member."""
    run("groupadd", "team")
    if member:
        run("gpasswd", "--add", member, "team")
    try:
        before = account_files()
        reply = do(manager, "add_user", userId="team")
        assert reply["return_code"] == 1 and "not this user's own" in reply["error_message"], reply
        assert account_files() == before and not exists("team")
    finally:
        run("groupdel", "team")


def test_name_that_is_a_member_already(manager):
    """Of a user who is no more: the next one of his name would inherit his rights."""
    run("groupadd", "--system", "machines")
    before = GROUP.read_text()
    GROUP.write_text("".join(line + ("vera" if line.startswith("machines:") else "") + "\n" for line in before.splitlines()))
    reply = do(manager, "add_user", userId="vera")
    GROUP.write_text(before)
    run("groupdel", "machines")
    assert reply["return_code"] == 1 and "member of machines" in reply["error_message"] and not exists("vera")


def test_group_that_is_not_the_users(unchanged):
    for group in ("shadow", "somegroup"):
        done = script("addUser", group, "vera", "Vera", "V", "false")
        assert done.returncode == 1 and "a group of his own" in done.stderr


def test_group_of_the_user_is_his_own(manager, users):
    users("vera")
    for _ in range(2):
        assert do(manager, "add_user", userId="vera")["return_code"] == 0
        assert groups("vera") == {"vera"} and grp.getgrnam("vera").gr_gid == exists("vera").pw_gid


OWN = ["root", "dcm", "dcm-agent", "dcm-cloud", "dcm-fetch", "dcm-manager", "dcm-metrics"]


@pytest.mark.parametrize("name", [*OWN, "messagebus", "systemd-network", "systemd-timesync", "daemon", "nobody", "bin"])
def test_users_that_keep_the_machine_going_stay(manager, unchanged, name):
    """Force or not, whoever made them, and whether they are there or not."""
    for command, arguments in (("add_user", {"administrator": True}), ("remove_user", {}), ("remove_user", {"force": True})):
        reply = do(manager, command, userId=name, **arguments)
        assert reply["return_code"] == 1 and "of this system" in reply["error_message"], (command, reply)
    for arguments in (("ours",), ("ours", "force")):
        assert script("removeUser", name, *arguments).returncode == 1


def test_own_users_are_those_of_sysusers(manager):
    """One list: a user that a package declares is none that can be ordered, even before he is made."""
    declared = [line.split()[1] for name in ("dcm-agent", "dcm-manager")
                for line in pathlib.Path(f"/usr/lib/sysusers.d/{name}.conf").read_text().splitlines() if line.startswith("u ")]
    assert set(declared) == set(OWN) - {"root"}
    more = pathlib.Path("/usr/lib/sysusers.d/later.conf")
    more.write_text('u later-on - "A user of a program"\ng later-group -\n')
    try:
        for name in ("later-on", "later-group"):
            assert "of this system" in do(manager, "add_user", userId=name)["error_message"] and not exists(name)
    finally:
        more.unlink()


def test_limit_of_ids_is_that_of_the_system(manager, users):
    """UID_MIN of login.defs(5), not a number of ours."""
    users("vera")
    run("useradd", "--uid", "1999", "--create-home", "vera")
    definitions = pathlib.Path("/etc/login.defs")
    before = definitions.read_text()
    definitions.write_text(before.replace("UID_MIN\t\t\t 1000", "UID_MIN 2000"))
    try:
        for command in ("add_user", "remove_user"):
            assert do(manager, command, userId="vera", force=True)["return_code"] == 1
        assert exists("vera")
    finally:
        definitions.write_text(before)
    assert do(manager, "remove_user", userId="vera", force=True)["return_code"] == 0 and not exists("vera")


# --- a name is no number --------------------------------------------------------------------------------


@pytest.mark.parametrize("zeros", ["", "0"])
def test_number_is_not_the_user_who_has_it(manager, users, processes, zeros):
    users("vera")
    assert do(manager, "add_user", userId="vera", firstName="Vera", administrator=True)["return_code"] == 0
    uid = exists("vera").pw_uid
    process = processes(uid)
    before = account_files()
    for command in ("add_user", "remove_user"):
        for force in (False, True):
            do(manager, command, userId=f"{zeros}{uid}", **({"force": force} if command == "remove_user" else {}))
            assert process.poll() is None and account_files() == before and "sudo" in groups("vera")
    for arguments in (("ours", "force"), ("ours",)):
        script("removeUser", f"{zeros}{uid}", *arguments)
        assert process.poll() is None and account_files() == before
    reply = do(manager, "add_user", userId=f"{zeros}{uid}")
    assert reply["return_code"] == 1 and "is a number" in reply["error_message"]


def add_number(number, *options):
    """A user whose name is a number, which useradd of Debian 13 refuses."""
    run("useradd", "--create-home", "--home-dir", f"/home/{number}", *options, "placeholder")
    for name in ("passwd", "shadow", "group", "gshadow"):
        file = pathlib.Path("/etc", name)
        file.write_text(re.sub("^placeholder:", f"{number}:", file.read_text(), flags=re.M))


def test_user_whose_name_is_a_number_is_removed_as_himself(manager, users, processes):
    users("vera")
    run("useradd", "--create-home", "vera")
    vera = exists("vera")
    add_number(vera.pw_uid)
    other = exists(str(vera.pw_uid))
    assert other.pw_uid != vera.pw_uid
    hers, his = processes(vera.pw_uid), processes(other.pw_uid)
    reply = do(manager, "remove_user", userId=str(vera.pw_uid), force=True)
    assert reply["return_code"] == 0 and not exists(str(vera.pw_uid)), reply
    assert hers.poll() is None and his.wait(10) and exists("vera") and not pathlib.Path(other.pw_dir).exists()


def test_number_of_a_user_is_not_another_name(manager, users):
    """The other way round: programs that look for a name first would give his home to who is called like his number."""
    add_number(1701, "--uid", "1702")
    try:
        run("useradd", "--no-create-home", "--uid", "1701", users("vera"))
        assert do(manager, "add_user", userId="vera", authentication=KEY)["return_code"] == 0
        assert {p.lstat().st_uid for p in (key_file("vera"), key_file("vera").parent, pathlib.Path("/home/vera"))} == {1701}
    finally:
        run("userdel", "--remove", "1701")


def test_second_name_of_a_user_is_not_removed(manager, users, processes):
    users("vera")
    run("useradd", "--create-home", "vera")
    run("useradd", "--non-unique", "--uid", str(exists("vera").pw_uid), "--no-create-home", "other")
    process = processes(exists("vera").pw_uid)
    reply = do(manager, "remove_user", userId="other", force=True)
    assert reply["return_code"] == 1 and "another name of vera" in reply["error_message"]
    assert process.poll() is None and exists("other")
    text = PASSWD.read_text()
    PASSWD.write_text("".join(line + "\n" for line in text.splitlines() if not line.startswith("other:")))
    run("groupdel", "other", check=False)


def test_name_of_a_person_over_the_limit(manager, unchanged):
    reply = do(manager, "add_user", userId="vera", firstName="V" * 300)
    assert reply["return_code"] == 1 and "more than 256" in reply["error_message"], reply


def test_name_of_a_person_with_any_characters(manager, users):
    users("vera")
    first = "".join(map(chr, range(1, 127)))
    assert do(manager, "add_user", userId="vera", firstName=first, lastName="Vä")["return_code"] == 0
    gecos = exists("vera").pw_gecos
    assert gecos.endswith("Vä") and not set(gecos) & {":", ",", "=", *map(chr, range(32))}


# --- users of a directory service -----------------------------------------------------------------------


@pytest.fixture
def diana():
    """A user that systemd's NSS module knows, and /etc/passwd does not."""
    USERDB.mkdir(exist_ok=True)
    for kind, record in (("user", {"userName": "diana", "uid": 60100, "gid": 60100, "realName": "Diana",
                                   "homeDirectory": "/home/diana", "shell": "/bin/bash", "disposition": "regular"}),
                         ("group", {"groupName": "diana", "gid": 60100, "disposition": "regular"})):
        (USERDB / f"diana.{kind}").write_text(json.dumps(record))
        (USERDB / f"60100.{kind}").symlink_to(f"diana.{kind}")
    home = pathlib.Path("/home/diana")
    home.mkdir()
    os.chown(home, 60100, 60100)
    assert exists("diana").pw_uid == 60100
    yield home
    shutil.rmtree(home)
    shutil.rmtree(USERDB)


def test_user_of_a_directory_service(manager, diana, processes):
    process, before = processes(60100), account_files()
    for command, arguments in (("add_user", {"administrator": True, "authentication": KEY}), ("add_user", {}),
                               ("remove_user", {}), ("remove_user", {"force": True})):
        reply = do(manager, command, userId="diana", **arguments)
        assert reply["return_code"] == 1 and "directory service" in reply["error_message"], (command, reply)
    assert script("removeUser", "diana", "ours", "force").returncode == 1
    assert process.poll() is None and account_files() == before
    assert os.listdir(diana) == [] and not [p for p in SUDOERS.iterdir() if "diana" in p.name]


def test_group_of_a_directory_service(manager, diana):
    """A name of which only the group is known there."""
    for path in USERDB.glob("*.user"):
        path.unlink()
    before = account_files()
    reply = do(manager, "add_user", userId="diana")
    assert reply["return_code"] == 1 and "there is a group diana" in reply["error_message"] and account_files() == before


# --- homes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", [0, 1777])
def test_home_of_somebody_else(manager, unchanged, users, owner):
    """It is there before the user: an image was made anew, and /home was kept."""
    users("olga")
    home = pathlib.Path("/home/olga")
    home.mkdir()
    (home / "file").write_text("data\n")
    os.chown(home, owner, owner)
    try:
        reply = do(manager, "add_user", userId="olga", administrator=True, authentication=KEY)
        assert reply["return_code"] == 1 and f"it belongs to uid {owner}" in reply["error_message"], reply
        assert not exists("olga") and home.stat().st_uid == owner and os.listdir(home) == ["file"]
    finally:
        shutil.rmtree(home)


@pytest.mark.parametrize("command", ["add_user", "initialize"])
def test_home_of_somebody_else_that_comes_later(manager, users, command):
    """A user that is there keeps what he has, and gets nothing more."""
    user = users("c012")
    run("useradd", "--create-home", user)
    os.chown("/home/c012", 0, 0)
    before, name = account_files(), os.uname().nodename
    if command == "add_user":
        reply = do(manager, command, userId=user, administrator=True, firstName="Other")
    else:
        reply = do(manager, command, cloudId="1", customerId=12, regionId="r", zoneId="z", serverId="s", serverName="app9",
                   encryptedEphemeralFsKey="AAEC")
    assert reply["return_code"] == 1 and "not his" in reply["error_message"], reply
    assert account_files() == before and os.uname().nodename == name, "all of it is checked before the first change"


def home_mode():
    """What useradd gives a home by login.defs(5)."""
    found = dict(re.findall(r"^(HOME_MODE|UMASK)\s+(\d+)", pathlib.Path("/etc/login.defs").read_text(), re.MULTILINE))
    return int(found["HOME_MODE"], 8) if "HOME_MODE" in found else 0o777 & ~int(found["UMASK"], 8)


@pytest.mark.parametrize("home", ["/home/nora", "/srv/homes/nora"])
def test_user_without_a_home_gets_one(manager, users, home):
    users("nora")
    run("useradd", "--no-create-home", "--home-dir", home, "nora")
    skeleton = pathlib.Path("/etc/skel")
    (skeleton / "link").symlink_to("/etc/hostname")
    try:
        assert do(manager, "add_user", userId="nora", authentication=KEY)["return_code"] == 0
    finally:
        (skeleton / "link").unlink()
    uid = exists("nora").pw_uid
    for path in (pathlib.Path(home), *pathlib.Path(home).rglob("*")):
        assert path.lstat().st_uid == uid, path
    assert pathlib.Path("/etc/hostname").stat().st_uid == 0
    assert {p.name for p in skeleton.iterdir()} | {"link", ".ssh"} == set(os.listdir(home))
    assert key_file("nora").read_text() == KEY + "\n"
    assert stat.S_IMODE(os.stat(home).st_mode) == home_mode(), "HOME_MODE or UMASK of login.defs"
    shutil.rmtree("/srv/homes", ignore_errors=True)


def test_home_that_cannot_be_made(manager, users):
    """Where others could put something in its place, or where it is none."""
    user = users("nora")
    run("useradd", "--no-create-home", user)
    folder = pathlib.Path("/srv/everybodys")
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "link").symlink_to("/etc")
    file = pathlib.Path("/srv/file")
    file.touch()
    before = account_files()
    try:
        for home in ("/nonexistent", "/", "", "relative", "/srv/everybodys/nora", "/srv/everybodys/link", "/srv/everybodys/no/where",
                     "/srv/file/nora", "/srv/file", "/etc/../home/nora"):
            text = PASSWD.read_text()
            PASSWD.write_text(text.replace(":/home/nora:", f":{home}:"))
            reply = do(manager, "add_user", userId=user, administrator=True)
            PASSWD.write_text(text)
            assert reply["return_code"] == 1 and "home" in reply["error_message"], (home, reply)
            assert account_files() == before and not (SUDOERS / "dcm-agent-nora").exists()
    finally:
        shutil.rmtree(folder)
        file.unlink()


def test_nobody_is_an_administrator_without_his_key(manager, users):
    """The key is written before the rule."""
    user = users("nora")
    assert do(manager, "add_user", userId=user)["return_code"] == 0
    home = pathlib.Path(exists(user).pw_dir)
    (home / ".ssh").mkdir()
    os.chown(home / ".ssh", 0, 0)
    before = account_files()
    reply = do(manager, "add_user", userId=user, administrator=True, authentication=KEY)
    assert reply["return_code"] == 1 and "not a directory of the user" in reply["error_message"]
    assert account_files() == before and not (SUDOERS / "dcm-agent-nora").exists()


# --- files that cannot be changed -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["passwd", "group", "shadow", "gshadow"])
@pytest.mark.parametrize("how", ["immutable", "mount point", "in use"])
def test_files_that_cannot_be_changed(manager, users, processes, name, how):
    """Said before anything is made or killed."""
    user = users("vera")
    assert do(manager, "add_user", userId=user)["return_code"] == 0
    process = processes(exists(user).pw_uid)
    file, lock = pathlib.Path("/etc", name), pathlib.Path("/etc", f"{name}.lock")
    crontab = pathlib.Path("/var/spool/cron/crontabs/vera")
    crontab.parent.mkdir(parents=True, exist_ok=True)
    crontab.write_text("# jobs\n")
    if how == "immutable":
        run("chattr", "+i", file)
    elif how == "mount point":
        run("mount", "--bind", file, file)
    else:
        lock.write_text(f"{os.getpid()}\0")
    try:
        before = account_files()
        for command, arguments in (("remove_user", {"userId": user}), ("add_user", {"userId": "nora", "administrator": True})):
            reply = do(manager, command, **arguments)
            assert reply["return_code"] == 10 and f"/etc/{name} " in reply["error_message"], reply
        assert account_files() == before and process.poll() is None and crontab.exists()
    finally:
        if how == "immutable":
            run("chattr", "-i", file)
        elif how == "mount point":
            run("umount", file)
        else:
            lock.unlink()
    assert do(manager, "remove_user", userId=user)["return_code"] == 0 and not crontab.exists()


# --- passwords that nobody has --------------------------------------------------------------------------


@pytest.fixture
def hardened():
    """An image on which passwords get old after 60 days, and accounts unusable 7 days later."""
    definitions, defaults = pathlib.Path("/etc/login.defs"), pathlib.Path("/etc/default/useradd")
    before = definitions.read_text(), defaults.read_text()
    definitions.write_text(before[0].replace("PASS_MAX_DAYS\t99999", "PASS_MAX_DAYS 60"))
    defaults.write_text(before[1] + "\nINACTIVE=7\n")
    yield
    definitions.write_text(before[0])
    defaults.write_text(before[1])


def enters(user):
    done = subprocess.run(["su", "-s", "/bin/sh", user, "-c", "echo entered"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, preexec_fn=lambda: os.setgid(0))
    return done.stdout == "entered\n"


def test_key_only_user_does_not_age(manager, hardened, users):
    assert "60" in pathlib.Path("/etc/login.defs").read_text()
    for user in (users("kim"), users("lea")):
        if user == "lea":  # made by another, long ago
            run("useradd", "--create-home", "lea")
            run("chage", "--lastday", "2001-01-01", "lea")
            assert not enters("lea")
        assert do(manager, "add_user", userId=user, administrator=True, authentication=KEY)["return_code"] == 0
        run("chage", "--lastday", "2001-01-01", user)
        assert enters(user)


def test_password_that_somebody_has_ages(manager, hardened, users):
    user = users("kim")
    run("useradd", "--create-home", "--password", "$6$salt$hash", user)
    before = SHADOW.read_text()
    assert do(manager, "add_user", userId=user)["return_code"] == 0
    assert SHADOW.read_text() == before


# --- what remains of a user -----------------------------------------------------------------------------


def test_nothing_remains_of_a_user(manager, users, processes):
    user = users("remy")
    assert do(manager, "add_user", userId=user, administrator=True, authentication=KEY)["return_code"] == 0
    uid = exists(user).pw_uid
    run("loginctl", "enable-linger", user)
    linger = pathlib.Path("/var/lib/systemd/linger", user)
    assert linger.exists()
    remains = [linger]
    for name in ("cron/crontabs/remy", "cron/remy", "cron/atjobs/a0000101a2b3c4", "at/a0000101a2b3c4"):
        path = pathlib.Path("/var/spool", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("* * * * * true\n")
        os.chown(path, uid, 0)
        remains.append(path)
    mail = pathlib.Path("/var/mail/remy")
    mail.write_text("From \n")
    os.chown(mail, uid, 0)
    others = pathlib.Path("/var/spool/cron/atjobs/a0000101a2b3c5")
    others.write_text("true\n")
    elsewhere = pathlib.Path("/srv/of-remy")
    elsewhere.write_text("x\n")
    os.chown(elsewhere, uid, uid)
    process = processes(uid)
    reply = do(manager, "remove_user", userId=user)
    assert reply["return_code"] == 0 and not exists(user) and process.wait(1) < 0, reply
    assert not [p for p in (*remains, mail) if p.exists()] and not pathlib.Path("/home/remy").exists()
    assert user not in run("loginctl", "list-users")
    with pytest.raises(KeyError):
        grp.getgrnam(user)
    assert others.exists() and elsewhere.exists() and f"find / -uid {uid}" in reply["message"], "what is kept is said"
    others.unlink()
    elsewhere.unlink()


def test_home_of_another_is_kept_and_said(manager, users):
    user = users("remy")
    assert do(manager, "add_user", userId=user)["return_code"] == 0
    os.chown("/home/remy", 0, 0)
    reply = do(manager, "remove_user", userId=user)
    assert reply["return_code"] == 0 and not exists(user)
    assert reply["message"].startswith("The home /home/remy is kept: it is not his, but belongs to uid 0\n"), reply
    shutil.rmtree("/home/remy")


def test_what_is_mounted_in_a_home_stays(manager, users):
    """userdel would empty it, and then leave the home half removed."""
    users("vera")
    assert do(manager, "add_user", userId="vera")["return_code"] == 0
    folder = pathlib.Path("/home/vera/data")
    folder.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", folder)
    try:
        (folder / "of-others").write_text("kept")
        reply = do(manager, "remove_user", userId="vera")
        assert reply["return_code"] == 0 and "another file system is mounted in it" in reply["message"], reply
        assert not exists("vera") and (folder / "of-others").read_text() == "kept" and (folder.parent / ".bashrc").exists()
    finally:
        run("umount", folder)
        shutil.rmtree("/home/vera")


def test_group_with_others_in_it_is_kept_and_said(manager, users):
    user = users("remy")
    assert do(manager, "add_user", userId=user)["return_code"] == 0
    run("gpasswd", "--add", "nobody", user)
    reply = do(manager, "remove_user", userId=user)
    assert reply["return_code"] == 0 and not exists(user)
    assert "The group remy is kept" in reply["message"] and grp.getgrnam("remy").gr_mem == ["nobody"]


def test_mail_of_a_name_that_is_no_user_stays(manager):
    """The agent did not make him: it may be a mailbox without an account."""
    mail = pathlib.Path("/var/mail/virtual")
    mail.write_text("From \n")
    assert do(manager, "remove_user", userId="virtual")["return_code"] == 0
    assert mail.read_text() == "From \n"
    mail.unlink()


def test_policy_that_says_where_may_be_written(manager, users):
    """No more than what is changed."""
    policy = pathlib.Path("/etc/dcm-agent/policy.conf.d/test.conf")
    policy.write_text("[limits *_user]\nwritable_paths = /etc /home /var/mail\n")
    try:
        reply = do(manager, "add_user", userId=users("vera"), authentication=KEY, administrator=True)
        assert reply["return_code"] == 0 and key_file("vera").read_text() == KEY + "\n", reply
        assert do(manager, "remove_user", userId="vera")["return_code"] == 0 and not exists("vera")
    finally:
        policy.unlink()
