# SPDX-License-Identifier: Apache-2.0
"""dcm-package with a real dnf and rpm, and local signed repositories: the same replies as with apt
(test_packages.py), and what is dnf's own."""

import contextlib
import fcntl
import functools
import http.server
import os
import shutil
import signal
import sqlite3
import struct
import threading

import pytest

from dnf_root import DnfRoot

SAMPLE = 8  # see sampling.py

pytestmark = pytest.mark.skipif(os.getuid() != 0 or not all(map(os.path.exists, (
    "/usr/bin/dnf-3", "/usr/bin/rpmbuild", "/usr/bin/createrepo_c"))), reason="needs root, dnf, rpmbuild and createrepo_c")

LASTING = "touch /srv/began; cat /srv/pipe >/dev/null; touch /srv/ended"
UPDATES = """<?xml version="1.0" encoding="UTF-8"?>
<updates><update from="a@example" status="final" type="security" version="1"><id>TEST-1</id><title>t</title>
<issued date="2026-01-01 00:00:00"/><severity>Important</severity><description>d</description>
<pkglist><collection short="c"><name>c</name>
<package name="plain" version="1.5" release="1" epoch="0" arch="noarch" src="plain-1.5-1.src.rpm">
<filename>plain-1.5-1.noarch.rpm</filename></package></collection></pkglist></update></updates>
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = DnfRoot(str(tmp_path_factory.mktemp("root")))
    try:
        root.key = root.make_key("good")
        root.bad_key = root.make_key("bad")
        root.build("main", "base", "1.0", "Provides: /bin/sh")
        for version in ("1.0", "1.5", "2.0"):
            root.build("main", "plain", version)
        root.build("main", "library", "1.0")
        root.build("main", "user", "1.0", "Requires: library")
        root.build("main", "rival", "1.0", "Conflicts: plain")
        root.build("main", "sudo", "1.0")
        root.build("main", "against-sudo", "1.0", "Conflicts: sudo")
        root.build("other", "needed", "1.0")
        root.build("other", "successor", "1.0", "Obsoletes: plain")
        for version in ("1.0", "2.0", "3.0", "4.0"):
            root.build("kernels", "kernel-core", version, "Provides: installonlypkg(kernel)",
                       files={"usr/share/dcm-test/kernel-core": "", f"usr/share/dcm-test/kernel-{version}": ""})
        root.build("main", "dnf", "9.0")
        root.build("main", "glibc", "1.0")
        root.build("main", "broken", "1.0", post="test ! -e /srv/break || { echo it breaks >&2; exit 1; }")
        root.build("main", "refusing", "1.0", pre="echo it refuses >&2; exit 1")
        for version in ("1.0", "2.0"):
            root.build("main", "lasting", version, post=LASTING)
            root.build("other", "staged", version, "Requires: needed" if version == "2.0" else "", post=LASTING, preun=LASTING)
            root.build("main", "settled", version, files={"etc/settled.conf": f"{version}\n"})
        root.build("main", "filling", "1.0", post="test ! -e /srv/fill || dd if=/dev/zero of=/usr/share/dcm-test/fill || true")
        root.build("main", "large", "1.0", "Requires: filling", files={"usr/share/dcm-test/large-one": "x" * 65536})
        root.publish("main", updates=UPDATES)
        root.publish("other")
        root.publish("kernels")
        root.good("add-repository", {"name": "main", "uri": "file:/srv/main", "key": root.key})
        root.good("install", {"packages": ["base"]})
        root.call("sh", "-c", "mkdir /srv/fresh && cd / && "
                  "cp -a --parents etc/yum.repos.d etc/pki/rpm-gpg var/cache/dnf var/lib/dnf var/lib/rpm root /srv/fresh")
        yield root
    finally:
        root.close()


@pytest.fixture
def root(made):
    """As after the installation of the operating system: one package, one repository."""
    made.call("sh", "-c", """rm -rf /etc/yum.repos.d/* /etc/pki/rpm-gpg/* /var/cache/dnf/* /var/lib/dnf/* /root/.rpmdb
        rm -rf /var/lib/rpm/* /var/lib/rpm/.rpm.lock
        rm -rf /etc/settled* /etc/dcm-agent/* /srv/break /srv/fill /srv/began /srv/ended /srv/pipe /usr/share/dcm-test/*
        cp -a /srv/fresh/. /
        : > /etc/dnf/plugins/versionlock.list""")
    return made


def changes(reply):
    return {c["name"]: (c["from"], c["to"]) for c in reply["reply_object"]["changes"]}


def test_install_repeat_and_remove(root):
    first = root.good("install", {"packages": ["user"]})
    assert changes(first) == {"user": (None, "1.0-1"), "library": (None, "1.0-1")}
    assert first["reply_type"] == "package_changes"
    assert root.versions() == {"base": "1.0-1", "user": "1.0-1", "library": "1.0-1"}
    again = root.good("install", {"packages": ["user"]})
    assert changes(again) == {} and "Nothing was to be done" in again["message"]
    listed = root.good("list", {"packages": ["us*"]})["reply_object"]
    assert listed == [{"name": "user", "version": "1.0-1", "architecture": "noarch", "held": False, "configured": True}]
    gone = root.good("remove", {"packages": ["library"]})
    assert changes(gone) == {"user": ("1.0-1", None), "library": ("1.0-1", None)}
    assert changes(root.good("remove", {"packages": ["library"]})) == {}
    root.good("install", {"packages": ["user"]})
    assert changes(root.good("remove", {"packages": ["user"]})) == {"user": ("1.0-1", None)}


def test_dry_runs_change_nothing(root):
    plan = root.good("install", {"packages": ["user"], "dry_run": True})
    assert changes(plan) == {"user": (None, "1.0-1"), "library": (None, "1.0-1")} and plan["reply_object"]["dry_run"]
    assert {c["origin"] for c in plan["reply_object"]["changes"]} == {"dcm-main"}
    plan = root.good("install", {"packages": ["plain"]}, DCM_DRY_RUN="yes")
    assert changes(plan) == {"plain": (None, "2.0-1")} and root.versions() == {"base": "1.0-1"}
    root.good("add-repository", {"name": "more", "uri": "file:/srv/main", "key": root.key, "dry_run": True})
    assert not (root.root / "etc/yum.repos.d/dcm-more.repo").exists()


def test_versions_and_downgrades(root):
    assert changes(root.good("install", {"packages": ["plain=1.0"]})) == {"plain": (None, "1.0-1")}
    assert "9.9" in root.bad("install", {"packages": ["plain=9.9"]}, "missing")["error_message"]
    assert "9.9" not in root.bad("install", {"packages": ["no-such"]}, "missing")["error_message"]
    assert changes(root.good("install", {"packages": ["plain=2.0-1"]})) == {"plain": ("1.0-1", "2.0-1")}
    for dry_run in (True, False):
        refused = root.bad("install", {"packages": ["plain=1.0"], "dry_run": dry_run}, "failed")
        assert "downgrade" in refused["error_message"] and root.versions()["plain"] == "2.0-1"
    lower = root.good("install", {"packages": ["plain=1.0"], "allow_downgrade": True})
    assert changes(lower) == {"plain": ("2.0-1", "1.0-1")}


def test_names_are_neither_options_nor_expressions(root):
    for name in ("librar.", "l*", "@core", "--best", "/bin/sh", "base.noarch", "plain-1.0", "no-such"):
        reply = root.run("install", {"packages": [name]})
        assert reply["status"] in (1, 3) and reply["reply_object"]["code"] in ("missing", "bad-argument"), (name, reply)
    assert root.versions() == {"base": "1.0-1"}


def test_updates(root):
    root.good("install", {"packages": ["plain=1.0", "settled=1.0"]})
    updates = {u["name"]: u for u in root.good("updates")["reply_object"]}
    assert updates["plain"]["to"] == "2.0-1" and updates["plain"]["security"] == "1.5-1"
    assert updates["settled"]["to"] == "2.0-1" and updates["settled"]["security"] is None
    assert updates["plain"]["successor"] is None
    assert changes(root.good("update", {"security": True, "packages": ["settled"]})) == {}
    assert changes(root.good("update", {"security": True})) == {"plain": ("1.0-1", "1.5-1")}
    nothing = root.good("update", {"security": True})
    assert changes(nothing) == {} and "security information" not in nothing["message"]
    assert changes(root.good("update", {"packages": ["plain"]})) == {"plain": ("1.5-1", "2.0-1")}
    assert changes(root.good("update")) == {"settled": ("1.0-1", "2.0-1")}
    assert changes(root.good("update")) == {}
    root.bad("update", {"packages": ["library"]}, "missing")


def test_no_security_information(root):
    root.call("cp", "-a", "/srv/main", "/srv/without")
    root.publish("without")
    root.good("remove-repository", {"name": "main"})
    root.good("add-repository", {"name": "without", "uri": "file:/srv/without", "key": root.key})
    root.good("install", {"packages": ["plain=1.0"]})
    reply = root.good("update", {"security": True})
    assert changes(reply) == {} and "None of the repositories has security information" in reply["message"]


def test_holds(root):
    root.good("install", {"packages": ["plain=1.0"]})
    assert root.good("hold", {"packages": ["plain"]})["reply_object"]["held"] == ["plain"]
    assert root.good("hold", {"packages": ["plain"]})["reply_object"]["held"] == ["plain"]
    assert changes(root.good("update")) == {}
    assert changes(root.good("update", {"security": True})) == {}
    assert root.good("updates")["reply_object"][0]["held"] is True
    assert "exclude" in root.bad("install", {"packages": ["plain=2.0"]}, "failed")["error_message"]
    assert root.good("hold", {"packages": ["plain"], "hold": False})["reply_object"]["held"] == []
    assert changes(root.good("update")) == {"plain": ("1.0-1", "2.0-1")}
    root.bad("hold", {"packages": ["library"]}, "missing")
    conf = root.root / "etc/dnf/plugins/versionlock.conf"
    text = conf.read_text()
    conf.write_text("[main]\nenabled = 0\n")
    try:
        reply = root.bad("hold", {"packages": ["plain"]}, "unsupported")
        assert "python3-dnf-plugin-versionlock" in reply["error_message"]
    finally:
        conf.write_text(text)


def test_what_must_stay(root):
    root.good("install", {"packages": ["sudo", "plain", "dnf"]})
    assert "sudo" in root.bad("remove", {"packages": ["sudo"]}, "protected")["error_message"]
    assert "dnf" in root.bad("remove", {"packages": ["dnf"]}, "protected")["error_message"]
    root.bad("install", {"packages": ["against-sudo"]}, "protected")
    assert root.versions() == {"base": "1.0-1", "sudo": "1.0-1", "plain": "2.0-1", "dnf": "9.0-1"}


def test_what_is_in_the_way_goes(root):
    """Only if the policy allows removals, and if there is no other way."""
    policy = root.root / "etc/dcm-agent/policy.conf"
    root.good("install", {"packages": ["plain"]})
    policy.write_text("[policy]\nallow_package_changes = install\n")
    root.bad("install", {"packages": ["rival"]}, "policy")
    policy.unlink()
    assert changes(root.good("install", {"packages": ["rival"]})) == {"plain": ("2.0-1", None), "rival": (None, "1.0-1")}
    reply = root.bad("install", {"packages": ["plain", "rival"]}, "failed")
    assert "conflict" in reply["error_message"], reply


def test_a_successor_takes_the_place(root):
    """As Obsoletes: has it, in installations and updates; it counts as a removal, too."""
    policy = root.root / "etc/dcm-agent/policy.conf"
    root.good("install", {"packages": ["plain"]})
    root.good("add-repository", {"name": "other", "uri": "file:/srv/other", "key": root.key})
    policy.write_text("[policy]\nallow_package_changes = install, update\n")
    root.bad("install", {"packages": ["successor"]}, "policy")
    root.bad("update", {}, "policy")
    policy.unlink()
    [listed] = root.good("updates")["reply_object"]
    assert (listed["name"], listed["from"], listed["to"], listed["successor"]) == ("plain", "2.0-1", None, "successor")
    assert changes(root.good("update")) == {"plain": ("2.0-1", None), "successor": (None, "1.0-1")}
    assert root.good("updates")["reply_object"] == []


def test_the_oldest_kernel_goes(root):
    """dnf keeps three of them, and does not remove the one that runs."""
    policy = root.root / "etc/dcm-agent/policy.conf"
    root.good("add-repository", {"name": "kernels", "uri": "file:/srv/kernels", "key": root.key})
    policy.write_text("[policy]\nallow_package_changes = install, update\n")
    for version in ("1.0", "2.0", "3.0"):
        root.good("install", {"packages": [f"kernel-core={version}"]})
    assert changes(root.good("update")) == {"kernel-core": ("1.0-1", "4.0-1")}
    names = root.call("rpm", "-q", "kernel-core").stdout.split()
    assert names == [f"kernel-core-{version}-1.noarch" for version in ("2.0", "3.0", "4.0")]
    assert "repaired" not in root.good("install", {"packages": ["library"]})["message"], "none of them is left of a kill"
    policy.unlink()
    root.bad("remove", {"packages": ["kernel-core"]}, "protected")


def test_policy(root):
    policy = root.root / "etc/dcm-agent/policy.conf"
    root.good("install", {"packages": ["plain=1.0", "library"]})
    for text, verb, arguments in (
            ("allow_package_changes = update", "install", {"packages": ["user"]}),
            ("allow_packages = lib*", "install", {"packages": ["user"]}),
            ("deny_packages = plain", "update", {}),
            ("allow_package_changes = install", "remove", {"packages": ["library"]}),
            ("allow_package_changes = install", "hold", {"packages": ["library"]}),
            ("allow_repositories = https://*", "add-repository", {"name": "x", "uri": "file:/srv/main", "key": root.key}),
            ("allow_package_changes = install", "remove-repository", {"name": "main"}),
            ("allow_package_changes = everything", "list", {})):
        policy.write_text(f"[policy]\n{text}\n")
        reply = root.bad(verb, arguments, "policy")
        assert text.split()[0] in reply["error_message"] and "policy.conf:2" in reply["error_message"], reply
    assert root.versions() == {"base": "1.0-1", "plain": "1.0-1", "library": "1.0-1"}


def test_failing_scripts(root):
    (root.root / "srv/break").touch()
    reply = root.bad("install", {"packages": ["broken", "plain"]}, "failed")
    assert "%post(broken-1.0-1.noarch) scriptlet failed" in reply["error_message"] and "it breaks" in reply["stderr"]
    assert changes(reply) == {"broken": (None, "1.0-1"), "plain": (None, "2.0-1")}
    reply = root.bad("install", {"packages": ["refusing", "library"]}, "failed")
    assert "%prein(refusing-1.0-1.noarch) scriptlet failed" in reply["error_message"], reply
    assert changes(reply) == {"library": (None, "1.0-1")}
    assert "repaired" not in root.good("install", {"packages": ["user"]})["message"]


def test_changed_configuration_files_stay(root):
    root.good("install", {"packages": ["settled=1.0"]})
    (root.root / "etc/settled.conf").write_text("mine\n")
    reply = root.good("install", {"packages": ["settled=2.0"]})
    assert reply["reply_object"]["kept_files"] == ["/etc/settled.conf.rpmnew"]
    assert (root.root / "etc/settled.conf").read_text() == "mine\n"
    assert root.good("install", {"packages": ["plain"]})["reply_object"]["kept_files"] == []
    reply = root.good("remove", {"packages": ["settled"]})
    assert reply["reply_object"]["kept_files"] == ["/etc/settled.conf.rpmsave"]
    assert (root.root / "etc/settled.conf.rpmsave").read_text() == "mine\n"


@pytest.mark.parametrize("by_hand", (False, True))
def test_configuration_whose_content_a_power_cut_has_lost(root, by_hand):
    """rpm had not written it out. What an administrator has written has another time of modification, and stays."""
    root.good("install", {"packages": ["settled=1.0"]})
    file = root.root / "etc/settled.conf"
    content, times = file.read_text(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_text("mine\n" if by_hand else "")
    if not by_hand:
        os.utime(file, ns=times)
    mark = root.root / "var/lib/dcm-packages/changing"
    mark.parent.mkdir(mode=0o700, exist_ok=True)
    mark.write_text("0" * 32)
    reply = root.good("install", {"packages": ["plain"]})
    assert "settled" in reply["message"] and "was repaired first" in reply["message"], reply
    assert file.read_text() == ("mine\n" if by_hand else content)
    assert not mark.exists()


@pytest.mark.parametrize("seconds", (-3600, 0, 3600))
def test_files_that_were_kept_before(root, seconds):
    """Only those of this run are reported, whatever the wall clock says."""
    clock = root.wall_clock(seconds)
    root.good("install", {"packages": ["settled=1.0"]})
    (root.root / "etc/settled.conf").write_text("mine\n")
    (root.root / "etc/settled-other.conf.rpmnew").touch()
    reply = root.good("install", {"packages": ["settled=2.0"]}, **clock)
    assert reply["reply_object"]["kept_files"] == ["/etc/settled.conf.rpmnew"]
    assert root.good("install", {"packages": ["plain"]}, **clock)["reply_object"]["kept_files"] == []


def lock(root):
    """rpm's lock, taken by this process."""
    file = open(root.database / ".rpm.lock", "w")
    fcntl.fcntl(file, fcntl.F_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    return file


def test_locks(root):
    with lock(root):
        reply = root.bad("install", {"packages": ["plain"], "lock_timeout": 1}, "locked")
        assert f"({os.getpid()})" in reply["error_message"] and f"({os.getpid()})" in reply["stderr"]
        waiting = root.start("install", {"packages": ["plain"]})
        while "waiting for" not in waiting.stderr.readline():
            pass
    assert changes(root.end(waiting)) == {"plain": (None, "2.0-1")}
    pid = root.root / "var/lib/dnf/rpmdb_lock.pid"
    pid.write_text(str(os.getpid()))
    waiting = root.start("install", {"packages": ["library"]})
    while f"({os.getpid()})" not in waiting.stderr.readline():
        pass
    waiting.send_signal(signal.SIGTERM)
    assert root.end(waiting)["reply_object"]["code"] == "cancelled"
    pid.unlink()


def start_lasting(root, *packages, verb="install"):
    return start(root, "lasting", *packages, verb=verb)


def start(root, *packages, verb="install"):
    pipe = root.root / "srv/pipe"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    process = root.start(verb, {"packages": list(packages)})
    writer = open(pipe, "w")  # waits for the script
    assert (root.root / "srv/began").exists()
    return process, writer


def test_a_dnf_that_works_is_waited_for(root):
    process, writer = start_lasting(root)
    waiting = root.start("install", {"packages": ["plain"]})
    while "waiting for another command about packages" not in waiting.stderr.readline():
        pass
    by_hand = root.bad("remove", {"packages": ["base"], "lock_timeout": 0}, "locked")
    assert "nothing was changed" in by_hand["error_message"]
    writer.close()
    assert root.end(process)["status"] == 0
    assert changes(root.end(waiting)) == {"plain": (None, "2.0-1")}


def test_a_cancellation_waits_for_what_is_under_way(root):
    process, writer = start_lasting(root, "plain")
    process.send_signal(signal.SIGTERM)
    while "is waited for" not in process.stderr.readline():
        pass
    assert process.poll() is None
    writer.close()
    reply = root.end(process)
    assert reply["reply_object"]["code"] == "cancelled" and "consistent" in reply["error_message"]
    assert changes(reply) == {"lasting": (None, "2.0-1"), "plain": (None, "2.0-1")} and (root.root / "srv/ended").exists()
    again = root.good("install", {"packages": ["library"], "lock_timeout": 0})
    assert "repaired" not in again["message"]


class SlowServer(http.server.ThreadingHTTPServer):
    """Serves a repository; a package only after `released`."""

    def __init__(self, directory):
        self.asked, self.released = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), functools.partial(SlowHandler, directory=str(directory)))
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def close(self):
        self.released.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


class SlowHandler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.endswith(".rpm"):
            self.server.asked.set()
            self.server.released.wait()
        super().do_GET()

    def log_message(self, *_):
        pass


def test_a_cancelled_download_ends_at_once(root):
    server = SlowServer(root.root / "srv/main")
    try:
        root.good("remove-repository", {"name": "main"})
        root.good("add-repository", {"name": "slow", "uri": f"http://127.0.0.1:{server.server_port}/", "key": root.key})
        process = root.start("install", {"packages": ["plain"]})
        assert server.asked.wait(60)
        process.send_signal(signal.SIGTERM)
        reply = root.end(process)  # the package was not released
        assert reply["reply_object"]["code"] == "cancelled" and changes(reply) == {}, reply
        server.released.set()
        again = root.good("install", {"packages": ["plain"], "lock_timeout": 0})
        assert changes(again) == {"plain": (None, "2.0-1")} and "repaired" not in again["message"]
    finally:
        server.close()


def test_what_a_kill_has_left_is_repaired(root):
    (root.root / "srv/pipe").touch()
    root.good("install", {"packages": ["lasting=1.0", "plain=1.0"]})
    (root.root / "srv/ended").unlink()
    process, writer = start_lasting(root, "plain", verb="update")
    root.kill_all(process)
    writer.close()
    names = root.call("rpm", "-q", "plain", "lasting").stdout.split()
    assert len(names) == 4, names  # the old versions are there, too
    (root.root / "srv/pipe").unlink()
    (root.root / "srv/pipe").touch()
    reply = root.good("install", {"packages": ["library"]})
    assert "was repaired first: " in reply["message"] and "lasting-2.0-1.noarch" in reply["message"], reply
    names = root.call("rpm", "-q", "plain", "lasting").stdout.split()
    assert sorted(names) == ["lasting-2.0-1.noarch", "plain-2.0-1.noarch"] and (root.root / "srv/ended").exists()
    assert "repaired" not in root.good("install", {"packages": ["user"]})["message"]


def test_what_a_kill_of_an_installation_has_left_is_repaired(root):
    process, writer = start_lasting(root)
    root.kill_all(process)
    writer.close()
    assert not (root.root / "srv/ended").exists()
    (root.root / "srv/pipe").unlink()
    (root.root / "srv/pipe").touch()
    reply = root.good("install", {"packages": ["plain"]})
    assert "was repaired first: lasting-2.0-1.noarch" in reply["message"] and (root.root / "srv/ended").exists()


def test_a_repair_that_is_cut_off_is_resumed(root):
    """It removes the old version first, and dnf's history says of that alone."""
    pipe, file = root.root / "srv/pipe", root.root / "usr/share/dcm-test/needed"
    pipe.touch()
    root.good("add-repository", {"name": "other", "uri": "file:/srv/other", "key": root.key})
    root.good("install", {"packages": ["staged=1.0"]})
    for _ in range(2):  # in the script of what is installed; and of what the repair installs again or removes
        process, writer = start(root, "staged", verb="update")
        root.kill_all(process)
        writer.close()
        if file.exists():
            (root.root / "var/lib/dcm-packages/changing").write_text("0" * 32)  # the power was cut
            file.unlink()
    pipe.unlink()
    pipe.touch()
    reply = root.good("install", {"packages": ["library"]})
    assert "was repaired first: " in reply["message"] and "needed-1.0-1.noarch" in reply["message"], reply
    assert root.call("rpm", "-q", "staged").stdout.split() == ["staged-2.0-1.noarch"] and file.exists()
    assert "repaired" not in root.good("install", {"packages": ["user"]})["message"]
    assert not (root.root / "var/lib/dcm-packages").exists()


def test_a_database_that_cannot_be_read(root):
    for path in root.database.glob("rpmdb.sqlite*"):
        path.write_bytes(b"x" * 65536)
    reply = root.bad("install", {"packages": ["plain"]}, "failed")
    assert "rpm --rebuilddb cannot repair it; nothing was changed" in reply["error_message"], reply


def test_a_damaged_index_is_rebuilt(root, tmp_path):
    """The packages can be listed, but none is found by its name."""
    if os.path.ismount(root.database):
        pytest.skip("rpm --rebuilddb replaces the directory, which is a mount here")
    root.good("install", {"packages": ["plain"]})
    for path in root.database.glob("rpmdb.sqlite*"):
        shutil.copy(path, tmp_path)
        path.unlink()
    copy = tmp_path / "rpmdb.sqlite"
    with contextlib.closing(sqlite3.connect(copy)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [[size]] = db.execute("PRAGMA page_size")
        pages = [page for page, in db.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = 'Name'")]
    data = bytearray(copy.read_bytes())
    for page in pages:
        data[(page - 1) * size:page * size] = bytes(size)
    (root.database / copy.name).write_bytes(data)
    assert "base" in root.call("rpm", "-qa").stdout and root.call("rpm", "-q", "base", check=False).returncode != 0
    reply = root.good("install", {"packages": ["library"]})
    assert "was repaired first: rpm --rebuilddb" in reply["message"], reply
    assert root.versions() == {"base": "1.0-1", "plain": "2.0-1", "library": "1.0-1"}
    assert root.call("rpm", "-q", "base").stdout and "repaired" not in root.good("install", {"packages": ["user"]})["message"]


def test_repositories(root):
    directory = root.root / "etc/yum.repos.d"
    text = (directory / "dcm-main.repo").read_text()
    assert "[dcm-main]" in text and "\ngpgcheck=1\n" in text and "\nrepo_gpgcheck=1\n" in text
    assert "\ngpgkey=file:///etc/pki/rpm-gpg/dcm-main.asc\n" in text
    again = root.good("add-repository", {"name": "main", "uri": "file:/srv/main", "key": root.key})
    assert again["reply_object"]["changed"] is False
    (directory / "dcm-theirs.repo").write_text("[theirs]\n")
    root.bad("remove-repository", {"name": "theirs"}, "foreign")
    root.bad("add-repository", {"name": "theirs", "uri": "file:/srv/main", "key": root.key}, "foreign")
    assert root.good("remove-repository", {"name": "main"})["reply_object"]["changed"] is True
    assert not (directory / "dcm-main.repo").exists() and not (root.root / "etc/pki/rpm-gpg/dcm-main.asc").exists()
    assert "nothing was to be done" in root.good("remove-repository", {"name": "none"})["message"]
    assert "suite" in root.bad("add-repository", {"name": "x", "uri": "file:/srv/main", "key": root.key, "suite": "./"},
                               "bad-argument")["error_message"]


def test_a_repository_with_another_signature_is_not_kept(root):
    files = [root.root / p for p in ("etc/yum.repos.d/dcm-x.repo", "etc/pki/rpm-gpg/dcm-x.asc")]
    reply = root.bad("add-repository", {"name": "x", "uri": "file:/srv/main", "key": root.bad_key}, "failed")
    assert "signature" in reply["error_message"] and not any(f.exists() for f in files), reply
    root.bad("add-repository", {"name": "x", "uri": "file:/srv/none", "key": root.key}, "failed")
    assert not any(f.exists() for f in files)


def test_packages_without_a_good_signature_are_not_installed(root):
    root.build("loose", "unsigned", "1.0", key=None)
    root.build("loose", "forged", "1.0", key="bad")
    root.publish("loose", key=None)
    reply = root.good("add-repository", {"name": "loose", "uri": "file:/srv/loose", "key": root.key})
    assert "does not sign its list" in reply["message"]
    path = root.root / "etc/yum.repos.d/dcm-loose.repo"
    text = path.read_text()
    assert "\ngpgcheck=1\n" in text and "\nrepo_gpgcheck=0\n" in text
    again = root.good("add-repository", {"name": "loose", "uri": "file:/srv/loose", "key": root.key})
    assert again["reply_object"]["changed"] is False
    path.write_text(text.replace("gpgcheck=1", "gpgcheck=0"))  # not with us
    assert "not signed" in root.bad("install", {"packages": ["unsigned"]}, "failed")["error_message"]
    assert "GPG" in root.bad("install", {"packages": ["forged"]}, "failed")["error_message"]
    assert root.versions() == {"base": "1.0-1"}


def test_a_list_with_another_signature(root):
    """What was fetched before, with a good signature, is still good; without that nothing is."""
    root.publish("main", key="bad", updates=UPDATES)
    try:
        reply = root.good("install", {"packages": ["plain"], "refresh": True})
        assert "signature" in reply["message"] and changes(reply) == {"plain": (None, "2.0-1")}
        root.call("sh", "-c", "rm -rf /var/cache/dnf/*")
        reply = root.run("install", {"packages": ["user"], "refresh": True})
        assert reply["status"] != 0 and "signature" in reply["message"] + reply["error_message"], reply
        assert root.versions() == {"base": "1.0-1", "plain": "2.0-1"}
    finally:
        root.publish("main", updates=UPDATES)


def test_a_repository_that_is_cut_off(root):
    os.rename(root.root / "srv/main", root.root / "srv/away")
    try:
        reply = root.run("install", {"packages": ["plain"], "refresh": True})
        assert reply["status"] != 0 and "dcm-main" in reply["message"] + reply["error_message"], reply
        assert root.versions() == {"base": "1.0-1"}
    finally:
        os.rename(root.root / "srv/away", root.root / "srv/main")
    assert changes(root.good("install", {"packages": ["plain"], "refresh": True})) == {"plain": (None, "2.0-1")}


def test_a_full_disk(root):
    root.call("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "/usr/share/dcm-test")
    try:
        reply = root.bad("install", {"packages": ["large"]}, "failed")
        assert "space" in reply["error_message"] and root.versions() == {"base": "1.0-1"}, reply
    finally:
        root.call("umount", "/usr/share/dcm-test")
    assert changes(root.good("install", {"packages": ["large"]})) == {"filling": (None, "1.0-1"), "large": (None, "1.0-1")}


def test_a_disk_that_gets_full_meanwhile(root):
    root.call("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "/usr/share/dcm-test")
    (root.root / "srv/fill").touch()
    try:
        reply = root.bad("install", {"packages": ["large"]}, "failed")
        assert "Error unpacking rpm package large" in reply["error_message"] and "No space left" in reply["stderr"], reply
        assert changes(reply) == {"filling": (None, "1.0-1")}
        (root.root / "usr/share/dcm-test/fill").unlink()
        again = root.good("install", {"packages": ["large"]})
        assert changes(again) == {"large": (None, "1.0-1")} and "repaired" not in again["message"]
    finally:
        root.call("umount", "/usr/share/dcm-test")


def test_reboot_required(root):
    assert root.good("reboot-required")["reply_object"]["required"] is False
    reply = root.good("install", {"packages": ["glibc"]})
    assert reply["reply_object"]["reboot_required"] is True
    reply = root.good("reboot-required")["reply_object"]
    assert reply["required"] is True and reply["packages"] == ["glibc"] and reply["services"] == []


def test_progress_only_grows(root):
    reply = root.good("install", {"packages": ["user", "plain", "settled"]})
    told = [line for line in reply["stderr"].splitlines() if line[3:6] == " % "]
    percent = [int(line[:3]) for line in told]
    assert len(told) > 3 and percent == sorted(percent) and percent[-1] == 100
    assert any("installing plain-2.0-1.noarch" in line for line in told), told


def test_other_package_managers(root):
    """Fedora has apt-get, too; dnf 5 has another command line."""
    program = root.root / "usr/bin/dnf-3"
    text = program.read_bytes()
    program.unlink()
    try:
        assert "dnf" in root.bad("list", {}, "unsupported")["error_message"]
        (root.root / "usr/bin/dnf5").symlink_to("true")
        assert "/usr/bin/dnf5" in root.bad("list", {}, "unsupported")["error_message"]
    finally:
        (root.root / "usr/bin/dnf5").unlink(missing_ok=True)
        program.write_bytes(text)
        program.chmod(0o755)
