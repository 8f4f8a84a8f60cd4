# SPDX-License-Identifier: Apache-2.0
"""dcm-package with a real apt and dpkg, and local signed repositories: what is asked for is done, and nothing else;
what cannot be done says why and leaves the package database in order."""

import fcntl
import json
import os
import signal
import struct
import subprocess

import pytest

from harness import DEADLINE
from package_root import AptRoot, PHASES, build_phases

SAMPLE = 12  # see sampling.py

pytestmark = pytest.mark.skipif(os.getuid() != 0 or not os.path.exists("/usr/bin/dpkg-scanpackages"),
                                reason="needs root, apt and dpkg-dev")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = AptRoot(str(tmp_path_factory.mktemp("root")))
    try:
        root.key = root.make_key("good")
        root.bad_key = root.make_key("bad")
        root.build("main", "plain", "1.0")
        root.build("main", "plain", "2.0")
        root.build("security", "plain", "1.5")
        root.build("main", "library", "1.0")
        root.build("main", "user", "1.0", "Depends: library\n")
        root.build("main", "rival", "1.0", "Conflicts: plain\n")
        root.build("main", "sudo", "1.0")
        root.build("main", "essential", "1.0", "Essential: yes\n")
        root.build("main", "unmet", "1.0", "Depends: no-such\n")
        root.build("main", "against-sudo", "1.0", "Conflicts: sudo\n")
        root.build("main", "broken", "1.0", postinst="test ! -e /srv/break || { echo it breaks >&2; exit 1; }")
        root.build("main", "lasting", "1.0", postinst="touch /srv/began; cat /srv/pipe >/dev/null; touch /srv/ended")
        root.build("main", "settled", "1.0", files={"etc/settled.conf": "one\n"})
        root.build("main", "settled", "2.0", files={"etc/settled.conf": "two\n"})
        root.publish("main", "Main")
        root.publish("security", "Main-Security")
        for name in ("main", "security"):
            root.good("add-repository", {"name": name, "uri": f"file:/srv/{name}", "suite": "./", "key": root.key})
        root.call("sh", "-c", "mkdir /srv/fresh && cd / && "
                  "cp -a --parents etc/apt/sources.list.d etc/apt/keyrings var/lib/apt/lists /srv/fresh")
        yield root
    finally:
        root.close()


@pytest.fixture
def root(made):
    """As after the installation of the operating system: no package, both repositories."""
    (made.root / "var/lib/dpkg/status").write_text("")
    for path in (*made.root.glob("var/lib/dpkg/info/*"), *made.root.glob("var/lib/dpkg/updates/*"),
                 *made.root.glob("etc/apt/sources.list.d/*"), *made.root.glob("etc/settled*"),
                 *made.root.glob("etc/phases*"), *made.root.glob("etc/dcm-agent/*"), *made.root.glob("usr/share/dcm-test/*"),
                 *(made.root / "srv" / name for name in ("break", "began", "ended", "pipe", "stop")),
                 made.root / "var/lib/apt/extended_states"):
        path.unlink(missing_ok=True)
    made.call("cp", "-a", "/srv/fresh/.", "/")
    return made


def changes(reply):
    return {c["name"]: (c["from"], c["to"]) for c in reply["reply_object"]["changes"]}


def test_install_repeat_and_remove(root):
    first = root.good("install", {"packages": ["user"]})
    assert changes(first) == {"user": (None, "1.0"), "library": (None, "1.0")}
    assert first["reply_type"] == "package_changes" and root.versions() == {"user": "1.0", "library": "1.0"}
    again = root.good("install", {"packages": ["user"]})
    assert changes(again) == {} and "Nothing was to be done" in again["message"]
    listed = root.good("list", {"packages": ["us*"]})["reply_object"]
    assert listed == [{"name": "user", "version": "1.0", "architecture": "all", "held": False, "configured": True}]
    gone = root.good("remove", {"packages": ["library"]})
    assert changes(gone) == {"user": ("1.0", None), "library": ("1.0", None)} and root.versions() == {}
    assert changes(root.good("remove", {"packages": ["library"]})) == {}


def test_dry_runs_change_nothing(root):
    plan = root.good("install", {"packages": ["user"], "dry_run": True})
    assert changes(plan) == {"user": (None, "1.0"), "library": (None, "1.0")} and plan["reply_object"]["dry_run"]
    assert root.versions() == {}
    plan = root.good("install", {"packages": ["plain"]}, DCM_DRY_RUN="yes")
    assert changes(plan) == {"plain": (None, "2.0")} and root.versions() == {}
    root.good("add-repository", {"name": "more", "uri": "file:/srv/main", "suite": "./", "key": root.key, "dry_run": True})
    assert not (root.root / "etc/apt/sources.list.d/dcm-more.sources").exists()


def test_versions_and_downgrades(root):
    assert changes(root.good("install", {"packages": ["plain=1.0"]})) == {"plain": (None, "1.0")}
    assert "9.9" in root.bad("install", {"packages": ["plain=9.9"]}, "missing")["error_message"]
    assert changes(root.good("install", {"packages": ["plain=2.0"]})) == {"plain": ("1.0", "2.0")}
    refused = root.bad("install", {"packages": ["plain=1.0"]}, "failed")
    assert "downgrade" in refused["error_message"] and root.versions() == {"plain": "2.0"}
    lower = root.good("install", {"packages": ["plain=1.0"], "allow_downgrade": True})
    assert changes(lower) == {"plain": ("2.0", "1.0")}


def test_names_are_neither_options_nor_expressions(root):
    root.good("install", {"packages": ["library"]})
    for name in ("librar.", "library-", "l.*", "plai+", "-oDebug=1", "no-such"):
        reply = root.run("install", {"packages": [name]})
        assert reply["status"] in (1, 3) and reply["reply_object"]["code"] in ("missing", "bad-argument"), (name, reply)
    assert root.versions() == {"library": "1.0"}


def test_updates(root):
    root.good("install", {"packages": ["plain=1.0", "settled=1.0"]})
    updates = {u["name"]: u for u in root.good("updates")["reply_object"]}
    assert updates["plain"]["to"] == "2.0" and updates["plain"]["security"] == "1.5"
    assert updates["settled"]["to"] == "2.0" and updates["settled"]["security"] is None
    assert changes(root.good("update", {"security": True})) == {"plain": ("1.0", "1.5")}
    assert changes(root.good("update", {"security": True})) == {}
    assert changes(root.good("update", {"packages": ["plain"]})) == {"plain": ("1.5", "2.0")}
    assert changes(root.good("update")) == {"settled": ("1.0", "2.0")}
    assert changes(root.good("update")) == {}
    root.bad("update", {"packages": ["library"]}, "missing")


def test_an_update_leaves_a_dependency_one(root):
    root.good("install", {"packages": ["user"]})
    assert root.call("apt-mark", "showauto").stdout.split() == ["library"]
    root.build("main", "library", "1.1")
    root.publish("main", "Main")
    assert changes(root.good("update", {"packages": ["library"], "refresh": True})) == {"library": ("1.0", "1.1")}
    assert root.call("apt-mark", "showauto").stdout.split() == ["library"]


def test_holds(root):
    root.good("install", {"packages": ["plain=1.0"]})
    assert root.good("hold", {"packages": ["plain"]})["reply_object"]["held"] == ["plain"]
    assert changes(root.good("update")) == {}
    assert changes(root.good("update", {"security": True})) == {}
    assert root.good("updates")["reply_object"][0]["held"] is True
    assert root.good("hold", {"packages": ["plain"], "hold": False})["reply_object"]["held"] == []
    assert changes(root.good("update")) == {"plain": ("1.0", "2.0")}
    root.bad("hold", {"packages": ["library"]}, "missing")


def test_purge_of_what_was_removed(root):
    """Its configuration is left. Without purge nothing is to be done, and a dry run changes nothing."""
    root.good("install", {"packages": ["settled=1.0", "plain"]})
    assert changes(root.good("remove", {"packages": ["settled"]})) == {"settled": ("1.0", None)}
    assert changes(root.good("remove", {"packages": ["settled"]})) == {}
    for dry_run in (True, False):
        assert (root.root / "etc/settled.conf").exists()
        reply = root.good("remove", {"packages": ["settled", "none"], "purge": True, "dry_run": dry_run})
        assert changes(reply) == {"settled": ("1.0", None)} and "Nothing" not in reply["message"], reply
    assert not (root.root / "etc/settled.conf").exists() and root.versions() == {"plain": "2.0"}
    assert "Nothing was to be done" in root.good("remove", {"packages": ["settled"], "purge": True})["message"]


def test_what_must_stay(root):
    root.good("install", {"packages": ["sudo", "plain"]})
    assert "sudo" in root.bad("remove", {"packages": ["sudo"]}, "protected")["error_message"]
    root.bad("install", {"packages": ["against-sudo"]}, "protected")
    root.good("install", {"packages": ["essential"]})
    assert "every system needs" in root.bad("remove", {"packages": ["essential"]}, "protected")["error_message"]
    root.call("dpkg", "--purge", "--force-remove-essential", "essential")
    assert root.versions() == {"sudo": "1.0", "plain": "2.0"}
    assert changes(root.good("install", {"packages": ["rival"]})) == {"plain": ("2.0", None), "rival": (None, "1.0")}


def test_what_cannot_be_installed(root):
    assert "Depends: no-such" in root.bad("install", {"packages": ["unmet"]}, "failed")["error_message"]
    assert root.versions() == {}


def test_policy(root):
    policy = root.root / "etc/dcm-agent/policy.conf"
    root.good("install", {"packages": ["plain=1.0", "library"]})
    for text, verb, arguments in (
            ("allow_package_changes = update", "install", {"packages": ["user"]}),
            ("allow_packages = lib*", "install", {"packages": ["user"]}),
            ("deny_packages = user", "install", {"packages": ["user"]}),
            ("deny_packages = plain", "update", {}),
            ("deny_packages = plain", "install", {"packages": ["rival"]}),
            ("allow_package_changes = install", "install", {"packages": ["rival"]}),
            ("allow_package_changes = install", "remove", {"packages": ["library"]}),
            ("allow_package_changes = install", "hold", {"packages": ["library"]}),
            ("allow_repositories = https://*", "add-repository",
             {"name": "x", "uri": "file:/srv/main", "suite": "./", "key": root.key}),
            ("allow_package_changes = install", "remove-repository", {"name": "main"}),
            ("allow_package_changes = everything", "list", {})):
        policy.write_text(f"[policy]\n{text}\n")
        reply = root.bad(verb, arguments, "policy")
        assert text.split()[0] in reply["error_message"] and "policy.conf:2" in reply["error_message"], reply
    policy.write_text("[policy]\nallow_packages = user\n")
    root.good("remove", {"packages": ["user"]})
    assert changes(root.good("install", {"packages": ["user"]})) == {"user": (None, "1.0")}


def test_a_failing_script_and_the_repair(root):
    (root.root / "srv/break").touch()
    reply = root.bad("install", {"packages": ["broken"]}, "failed")
    assert "post-installation script" in reply["error_message"] and "it breaks" in reply["stderr"]
    assert [p["configured"] for p in root.good("list", {"packages": ["broken"]})["reply_object"]] == [False]
    again = root.bad("install", {"packages": ["plain"]}, "failed")
    assert "could not be repaired: broken" in again["message"]
    (root.root / "srv/break").unlink()
    reply = root.good("install", {"packages": ["plain"]})
    assert "was repaired first: broken" in reply["message"] and "broken" in root.versions()


def test_a_changed_configuration_file_stays(root):
    root.good("install", {"packages": ["settled=1.0"]})
    (root.root / "etc/settled.conf").write_text("mine\n")
    reply = root.good("install", {"packages": ["settled=2.0"]})
    assert reply["reply_object"]["kept_files"] == ["/etc/settled.conf.dpkg-dist"]
    assert (root.root / "etc/settled.conf").read_text() == "mine\n"
    assert root.good("install", {"packages": ["plain"]})["reply_object"]["kept_files"] == []


@pytest.mark.parametrize("seconds", (-3600, 0, 3600))
def test_files_that_were_kept_before(root, seconds):
    """Only those of this run are reported, whatever the wall clock says."""
    clock = root.wall_clock(seconds)
    root.good("install", {"packages": ["settled=1.0"]})
    (root.root / "etc/settled.conf").write_text("mine\n")
    (root.root / "etc/settled-other.conf.dpkg-dist").touch()
    reply = root.good("install", {"packages": ["settled=2.0"]}, **clock)
    assert reply["reply_object"]["kept_files"] == ["/etc/settled.conf.dpkg-dist"]
    assert root.good("install", {"packages": ["plain"]}, **clock)["reply_object"]["kept_files"] == []


def lock(root):
    """dpkg's lock, taken by this process."""
    file = open(root.root / "var/lib/dpkg/lock-frontend", "w")
    fcntl.fcntl(file, fcntl.F_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    return file


def test_locks(root):
    root.good("list")
    with lock(root):
        reply = root.bad("install", {"packages": ["plain"], "lock_timeout": 1}, "locked")
        assert f"({os.getpid()})" in reply["error_message"] and f"({os.getpid()})" in reply["stderr"]
        waiting = root.start("install", {"packages": ["plain"]})
        while "waiting for" not in waiting.stderr.readline():
            pass
    assert changes(root.end(waiting)) == {"plain": (None, "2.0")}
    with lock(root):
        waiting = root.start("install", {"packages": ["library"]})
        while "waiting for" not in waiting.stderr.readline():
            pass
        waiting.send_signal(signal.SIGTERM)
        assert root.end(waiting)["reply_object"]["code"] == "cancelled"


def start_lasting(root):
    pipe = root.root / "srv/pipe"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    process = root.start("install", {"packages": ["lasting", "plain"]})
    writer = open(pipe, "w")  # waits for the script
    assert (root.root / "srv/began").exists()
    return process, writer


def test_a_cancellation_waits_for_what_is_under_way(root):
    process, writer = start_lasting(root)
    process.send_signal(signal.SIGTERM)
    while "is waited for" not in process.stderr.readline():
        pass
    assert process.poll() is None
    writer.close()
    reply = root.end(process)
    assert reply["reply_object"]["code"] == "cancelled" and "consistent" in reply["error_message"]
    assert (root.root / "srv/ended").exists() and not root.call("dpkg", "--audit").stdout
    assert "lasting" in root.versions() and not list((root.root / "var/lib/dpkg/updates").iterdir())
    root.good("install", {"packages": ["plain"], "lock_timeout": 0})


def test_what_a_kill_has_left_is_repaired(root):
    process, writer = start_lasting(root)
    root.kill_all(process)
    writer.close()
    assert "lasting" not in root.versions()
    (root.root / "srv/pipe").unlink()
    (root.root / "srv/pipe").touch()
    reply = root.good("install", {"packages": ["plain"]})
    assert "was repaired first: lasting" in reply["message"] and {"lasting", "plain"} <= root.versions().keys()


def use_phases(root, version):
    """A repository that has this version alone, as those of distributions."""
    repository = f"phases-{version}"
    if not (root.root / "srv" / repository).exists():
        build_phases(root, repository, version)
        root.publish(repository, "Phases")
    root.good("add-repository", {"name": "phases", "uri": f"file:/srv/{repository}", "suite": "./", "key": root.key})


@pytest.mark.parametrize("phase", PHASES)
def test_what_a_kill_at_any_phase_has_left_is_repaired(root, phase):
    before = PHASES[phase]
    after = "1.0" if before is None else "2.0"
    if before:
        use_phases(root, before)
        root.good("install", {"packages": ["phases"]})
    use_phases(root, after)
    (root.root / "srv/stop").write_text(phase)
    os.mkfifo(root.root / "srv/pipe")
    process = root.start("remove" if before == "2.0" else "install", {"packages": ["phases"]})
    with open(root.root / "srv/pipe", "w"):  # waits for the script
        root.kill_all(process)
    (root.root / "srv/pipe").unlink()
    (root.root / "srv/stop").unlink()
    reply = root.good("install", {"packages": ["plain"]})
    assert "was repaired first: phases" in reply["message"], reply
    assert not root.call("dpkg", "--audit").stdout and not list((root.root / "var/lib/dpkg/updates").iterdir())
    found = root.versions().get("phases")
    assert found in (before, after, None if before in (None, "2.0") else before)
    path = root.root / "usr/share/dcm-test/phases"
    assert path.read_text() == found if found else not path.exists()
    assert "repaired" not in root.good("install", {"packages": ["library"]})["message"]


def test_a_repository_with_another_signature_is_not_kept(root):
    source, key = (root.root / p for p in ("etc/apt/sources.list.d/dcm-x.sources", "etc/apt/keyrings/dcm-x.asc"))
    reply = root.bad("add-repository", {"name": "x", "uri": "file:/srv/main", "suite": "./", "key": root.bad_key}, "failed")
    assert "sign" in reply["error_message"] and not source.exists() and not key.exists()
    reply = root.bad("add-repository", {"name": "x", "uri": "file:/srv/none", "suite": "./", "key": root.key}, "failed")
    assert not source.exists() and not key.exists(), reply
    again = {"name": "main", "uri": "file:/srv/main", "suite": "./", "key": root.bad_key}
    assert "sign" in root.bad("add-repository", again, "failed")["error_message"]
    assert root.key in (root.root / "etc/apt/keyrings/dcm-main.asc").read_text()


def test_a_signature_that_changes(root):
    """What was fetched before, with a good signature, is still good; without that nothing is."""
    root.publish("main", "Main", key="bad")
    try:
        reply = root.good("install", {"packages": ["settled"], "refresh": True})
        assert "signature" in reply["message"] and changes(reply) == {"settled": (None, "2.0")}
        root.call("sh", "-c", "rm -f /var/lib/apt/lists/_srv_main*")
        reply = root.bad("install", {"packages": ["plain"], "refresh": True}, "failed")
        assert "sign" in reply["error_message"] and root.versions() == {"settled": "2.0"}
    finally:
        root.publish("main", "Main")


def test_repositories_of_others_stay(root):
    directory = root.root / "etc/apt/sources.list.d"
    assert "nothing was to be done" in root.good("remove-repository", {"name": "none"})["message"]
    (directory / "dcm-theirs.sources").write_text("Types: deb\n")
    root.bad("remove-repository", {"name": "theirs"}, "foreign")
    root.bad("add-repository", {"name": "theirs", "uri": "file:/srv/main", "suite": "./", "key": root.key}, "foreign")
    (directory / "dcm-theirs.sources").unlink()
    text = (directory / "dcm-main.sources").read_text()
    assert "Signed-By: /etc/apt/keyrings/dcm-main.asc\n" in text and "rusted" not in text
    again = root.good("add-repository", {"name": "main", "uri": "file:/srv/main", "suite": "./", "key": root.key})
    assert again["reply_object"]["changed"] is False
    assert root.good("remove-repository", {"name": "main"})["reply_object"]["changed"] is True
    assert not (directory / "dcm-main.sources").exists() and not (root.root / "etc/apt/keyrings/dcm-main.asc").exists()


def test_a_full_disk(root):
    root.call("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "/usr/share/dcm-test")
    try:
        (root.root / "usr/share/dcm-test/fill").write_bytes(b"x" * 12288)
        root.build("main", "large", "1.0", files={"usr/share/dcm-test/large-one": "x" * 65536})
        root.publish("main", "Main")
        reply = root.bad("install", {"packages": ["large"], "refresh": True}, "failed")
        assert "space" in reply["error_message"], reply
    finally:
        root.call("umount", "/usr/share/dcm-test")
    assert changes(root.good("install", {"packages": ["large"], "refresh": True})) == {"large": (None, "1.0")}


def test_a_repository_that_is_cut_off(root):
    os.rename(root.root / "srv/main", root.root / "srv/away")
    try:
        reply = root.bad("install", {"packages": ["plain"], "refresh": True}, "failed")
        assert "/srv/main" in reply["error_message"] or "main" in reply["error_message"], reply
    finally:
        os.rename(root.root / "srv/away", root.root / "srv/main")


def test_reboot_required(root):
    assert root.good("reboot-required")["reply_object"]["required"] is False
    (root.root / "run/reboot-required").touch()
    (root.root / "run/reboot-required.pkgs").write_text("linux-base\n")
    try:
        reply = root.good("reboot-required")["reply_object"]
        assert reply["required"] is True and reply["packages"] == ["linux-base"]
        assert root.good("install", {"packages": ["plain"]})["reply_object"]["reboot_required"] is True
    finally:
        (root.root / "run/reboot-required").unlink()
        (root.root / "run/reboot-required.pkgs").unlink()


def test_progress_only_grows(root):
    reply = root.good("install", {"packages": ["user", "plain", "settled"]})
    told = [int(line[:3]) for line in reply["stderr"].splitlines() if line[3:6] == " % "]
    assert len(told) > 3 and told == sorted(told) and told[-1] == 100


BAD = [({}, "packages is missing"), ({"packages": []}, "packages is missing"), ({"packages": "x"}, "not a list"),
       ({"packages": [1]}, "not a text"), ({"packages": ["a", "plain"]}, "\"a\""),
       ({"packages": ["plain", "plain=1"]}, "twice"), ({"packages": ["plain"], "force": True}, "force"),
       ({"packages": ["plain"], "lock_timeout": -1}, "lock_timeout"), ({"packages": ["plain"], "refresh": "no"}, "refresh"),
       ({"packages": ["a b"]}, "a b"), ({"packages": ["plain="]}, "plain="), ({"packages": ["x" * 1000]}, "bytes")]


@pytest.mark.parametrize("arguments, word", BAD)
def test_wrong_arguments(root, arguments, word):
    assert word in root.bad("install", arguments, "bad-argument")["error_message"]


def test_wrong_repositories(root):
    good = {"name": "x", "uri": "file:/srv/main", "suite": "./", "key": root.key}
    for change in ({"name": "../x"}, {"name": None}, {"uri": "ftp://x/"}, {"uri": "https://u:p@x/"}, {"uri": "https://x/ [a=b]"},
                   {"suite": "a b"}, {"suite": None}, {"suite": "stable"}, {"components": ["main"]}, {"key": None},
                   {"key": "x"}, {"key": root.key.replace("PUBLIC", "PRIVATE")}, {"trusted": True}):
        arguments = {k: v for k, v in {**good, **change}.items() if v is not None}
        root.bad("add-repository", arguments, "bad-argument")
    reply = root.bad("add-repository", {**good, "uri": "https://user:canary-1f@x/"}, "bad-argument")
    assert "canary" not in json.dumps(reply) and "password" in reply["error_message"]


def test_what_is_no_object(root):
    for text in (b"", b"[]", b"{", b"null"):
        done = subprocess.run(root.argv("/tmp/dcm-package", "install"), input=text, capture_output=True, timeout=DEADLINE)
        assert done.returncode == 1 and not done.stdout and b"no JSON object" in done.stderr
    assert json.loads(root.call("/tmp/dcm-package", "reboot-required").stdout)["return_code"] == 0


@pytest.mark.parametrize("text", [b"", b"-----BEGIN PGP SIGNED MESSAGE-----\n", bytes(4096)])
def test_lists_that_a_power_cut_has_left(root, text):
    """Each file of the lists may be empty, cut off or zeros: they are fetched again."""
    root.good("install", {"packages": ["plain"]})
    root.good("remove", {"packages": ["plain"]})
    lists = [path for path in (root.root / "var/lib/apt/lists").iterdir() if path.is_file() and path.name != "lock"]
    assert lists
    for path in lists:
        path.write_bytes(text)
    root.good("install", {"packages": ["plain"], "refresh": True})
