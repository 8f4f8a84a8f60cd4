# SPDX-License-Identifier: Apache-2.0
"""dcm-scrub on trees: all that belongs to one machine goes, and nothing else; no link and no mount leads out of the tree;
names and contents may be anything. The rescue archive has all of it, encrypted, byte for byte, and if it cannot be written
nothing is removed. Killed at each removal, it is repeated. The archives of the Python agent open, too."""

import gzip
import hashlib
import io
import os
import pathlib
import pty
import re
import shutil
import signal
import stat
import subprocess
import tarfile

import pytest

from harness import BUILD, ROOT

PROGRAM = BUILD / "src/dcm-scrub/dcm-scrub"
RECOVERY = ROOT / "scripts/recovery.sh"
SECRET = b"canary-secret-"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may scrub")

KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + SECRET
GOES = {
    "var/lib/dcm-agent/token": b"token", "var/lib/dcm-agent/agent.db": b"db", "var/lib/dcm-agent/agent.db-wal": b"wal",
    "var/lib/dcm-agent/.hidden/deep/er": b"deep", "var/lib/dcm-jobs/one/output": b"output", "var/lib/dcm-backups/key": b"b",
    "var/lib/dcm-upgrade/requests.db": b"copy", "var/lib/dcm-migration/undo/token": b"migrated",
    "var/lib/dcm-former/secure/token": b"former", "dcm/secure/token": b"old token", "dcm/secure/agentdb.sql": b"old db",
    "dcm/logs/agent.log": b"old log", "etc/dcm-agent/token.cred": b"sealed",
    "etc/systemd/system/dcm-agent.service.d/sealed-token.conf": b"drop-in",
    "etc/ssh/ssh_host_rsa_key": b"host key", "etc/ssh/ssh_host_rsa_key.pub": b"host key",
    "etc/dropbear/dropbear_rsa_host_key": b"dropbear",
    "root/.ssh/id_rsa": b"-----BEGIN RSA PRIVATE KEY-----\n" + SECRET, "root/.bash_history": b"history",
    "home/ann/.ssh/any name": KEY, "home/ann/.ssh/putty.ppk": b"PuTTY-User-Key-File-3: ssh-rsa\n" + SECRET,
    "home/ann/.ssh/ec": b"-----BEGIN EC PRIVATE KEY-----\n" + SECRET, "home/ann/.ssh/authorized_keys": b"ssh-rsa one",
    "home/ann/.gnupg/private-keys-v1.d/a.key": b"gpg", "home/ann/.python_history": b"python",
    "home/ann/.fake_history": b"old", "home/ann/.local/share/fish/fish_history": b"fish", "home/ann/.viminfo": b"vim",
    "home/ann/.ssh/new\nline": KEY, "home/ann/.zsh_hist\nory": b"newline", "home/ann/.\xff_hist".encode("latin-1"): b"bytes",
    "home/-rf *;x/.bash_history": b"name", "srv/homes/bob/.bash_history": b"bob", "srv/homes/bob/.ssh/id_ed25519": KEY,
    "var/lib/systemd/random-seed": b"seed", "var/lib/systemd/credential.secret": b"host secret",
    "var/lib/dbus/machine-id": b"0123", "var/log/journal/0123/system.journal": b"journal",
    "var/log/syslog": b"syslog", "var/log/syslog.1": b"syslog", "var/log/apt/history.log": b"apt",
    "var/log/messages-20261203": b"m", "var/log/audit/audit.log": b"audit", "var/log/x/y/z.gz": b"gz", "var/log/wtmp": b"w",
    "var/lib/dhcp/dhclient.eth0.leases": b"dhclient", "var/lib/dhcpcd/eth0.lease": b"dhcpcd",
    "var/lib/NetworkManager/internal-1-eth0.lease": b"nm", "var/lib/NetworkManager/secret_key": b"nm",
    "var/lib/systemd/network/eth0": b"networkd", "var/lib/cloud/instance/user-data.txt": b"user data",
    "var/log/cloud-init.log": b"cloud", "var/lib/waagent/provisioned": b"",
}
STAYS = {
    "etc/passwd": b"root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/srv/homes/bob:/bin/sh\n"
                  b"daemon:x:1:1::/usr/sbin:/bin/false\nnone:x:2:2::/nonexistent:\nbroken\nup:x:3:3::/home/ann/../../etc:\n",
    "etc/dcm-agent/agent.conf": b"[connection]\n", "etc/ssh/sshd_config": b"sshd", "etc/hostname": b"host",
    "home/ann/.ssh/id_rsa.pub": b"ssh-rsa public", "home/ann/.ssh/config": b"Host", "home/ann/keepme.fake_history": b"keep",
    "home/ann/.bashrc": b"rc", "home/ann/history": b"keep", "usr/sbin/.x_history": b"keep", "var/log/nothing": b"keep",
    "var/lib/NetworkManager/NetworkManager.state": b"keep", "etc/shadow": b"keep", "dcm/etc/agent.conf": b"old",
}


def write(root, files, secret=b""):
    for name, content in files.items():
        path = pathlib.Path(os.fsdecode(os.path.join(os.fsencode(root), os.fsencode(name))))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + secret)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    write(root, GOES, SECRET)
    write(root, STAYS)
    write(root, {"etc/machine-id": b"0123456789abcdef0123456789abcdef\n"})
    return root


def scrub(root, *options, input="", name=None, check=True, before=(), **environment):
    done = subprocess.run([*before, name or PROGRAM, f"--root={root}", *options], input=input, capture_output=True,
                          text=True, errors="surrogateescape", env={**os.environ, "DCM_BASEDIR": str(ROOT / "scripts"), **environment}, timeout=300)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def content(root):
    """Of all files and links, by their paths."""
    found = {}
    for directory, names, files in os.walk(os.fsencode(root)):
        for name in files + [n for n in names if os.path.islink(os.path.join(directory, n))]:
            path = os.path.join(directory, name)
            info = os.lstat(path)
            found[os.path.relpath(path, os.fsencode(root))] = (
                os.readlink(path) if stat.S_ISLNK(info.st_mode) else
                open(path, "rb").read() if stat.S_ISREG(info.st_mode) else stat.S_IFMT(info.st_mode))
    return found


def expected():
    return {**{os.fsencode(name): data for name, data in STAYS.items()}, b"etc/machine-id": b""}


def test_all_of_one_machine_goes(root):
    before = content(root)
    plan = scrub(root, "--dry-run")
    assert content(root) == before and plan.stderr == ""
    assert "token of the agent  /var/lib/dcm-agent/token  19 bytes\n" in plan.stdout
    assert "/etc/machine-id  33 bytes, emptied\n" in plan.stdout and "new?line" in plan.stdout or "new\nline" not in plan.stdout
    done = scrub(root, "--yes")
    assert "Done." in done.stdout and done.stderr == "" and "Shut" not in done.stdout
    assert content(root) == expected()
    assert subprocess.run(["grep", "-ra", SECRET.decode(), root], capture_output=True).stdout == b""
    assert (root / "var/lib/dcm-agent").is_dir() and (root / "var/log/journal").is_dir()
    assert scrub(root, "--yes").stdout.startswith("There is nothing to remove.\n")
    assert content(root) == expected()


def test_parts(root):
    scrub(root, "--yes", "--histories")
    left = content(root)
    assert b"root/.bash_history" not in left and b"root/.ssh/id_rsa" in left and b"var/lib/waagent/provisioned" not in left
    scrub(root, "--yes", "--configuration")
    left = content(root)
    assert b"etc/dcm-agent/agent.conf" not in left and b"etc/ssh/ssh_host_rsa_key" in left


def test_former_name_and_options(root, tmp_path):
    """What no option names stays, but for the marker of Azure."""
    name = tmp_path / "dcm-agent-scrubber"
    name.symlink_to(PROGRAM)
    before = content(root)
    scrub(root, "-b", name=name)
    assert content(root).keys() ^ before.keys() == {b"var/lib/waagent/provisioned"}
    scrub(root, "-b", "-X", "-A", "-H", "-k", name=name)
    left = content(root)
    assert b"var/lib/dcm-agent/agent.db" in left and b"home/ann/.fake_history" not in left
    assert b"home/ann/keepme.fake_history" in left and b"root/.ssh/id_rsa" not in left and b"home/ann/.ssh/authorized_keys" in left
    scrub(root, "-D", "-v", "-b", "-c", "-d", "-a", "-A", "-t", "-l", name=name)
    assert content(root) == left
    scrub(root, "-v", "-b", "-c", "-d", "-a", "-A", "-t", "-l", name=name)
    left = content(root)
    assert not [path for path in left if re.search(rb"cloud|lease|authorized|dcm-agent/a.*db|token|\.log$", path)]
    assert b"etc/ssh/ssh_host_rsa_key" in left


def test_question(root):
    before = content(root)
    done = scrub(root, check=False)
    assert done.returncode == 1 and "give --yes; nothing is removed" in done.stderr and content(root) == before
    for answer, gone in ((b"\n", False), (b"no\n", False), (b"yes\n", True)):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        done = subprocess.run([PROGRAM, f"--root={root}"], stdin=theirs, capture_output=True, text=True)
        os.close(ours), os.close(theirs)
        assert (done.returncode == 0) == gone and "(yes or no) [no]" in done.stdout
        assert (content(root) == before) != gone


@pytest.mark.parametrize("options,words", [
    (["--rescue=/x"], "belong together"), (["-e", "/x"], "belong together"), (["operand"], 'no "operand"'), (["--sealed=later"], "now or boot"), (["--nonsense"], "")])
def test_wrong_usage(root, options, words):
    before = content(root)
    done = scrub(root, "--yes", *options, check=False)
    assert done.returncode == 2 and words in done.stderr and content(root) == before


def test_others_than_root(root):
    done = scrub(root, "--yes", check=False, before=["setpriv", "--reuid=65534", "--clear-groups", "--"])
    assert done.returncode in (4, 126, 127), done.stderr  # 126: it cannot even read the build


# --- who makes host keys anew ----------------------------------------------------------------------------

UNIT = "usr/lib/systemd/system/dcm-host-keys.service"


@pytest.mark.parametrize("units,links", [
    (["ssh.service", "ssh.socket"], {"ssh.service", "ssh.socket"}), (["ssh.service"], {"ssh.service"}),
    (["ssh.service", "sshd-keygen.target"], set()), (["ssh.service", "sshd-keygen@.service"], set()), ([], set())])
def test_host_keys_are_made_at_the_next_boot(root, units, links):
    """Where nothing else makes them; before they are removed, and once."""
    write(root, {UNIT: b"", "etc/systemd/system/x.service": b"", **{f"usr/lib/systemd/system/{unit}": b"" for unit in units}})
    for _ in range(2):
        scrub(root, "--yes")
        made = {path.parent.name.removesuffix(".wants"): os.readlink(path)
                for path in root.glob("etc/systemd/system/*.wants/*")}
        assert made == {unit: f"/{UNIT}" for unit in links}
        assert all(path.parent.stat().st_mode & 0o777 == 0o755 for path in root.glob("etc/systemd/system/*.wants/*"))


def test_host_keys_stay_where_nobody_would_make_them(root):
    write(root, {UNIT: b"", "usr/lib/systemd/system/ssh.service": b""})
    (root / "etc/systemd/system/ssh.service.wants").write_text("in the way")
    before = content(root)
    done = scrub(root, "--yes", check=False)
    assert done.returncode == 1 and "nothing is removed" in done.stderr and content(root) == before
    scrub(root, "--yes", "--histories")  # without them nothing needs to be made


# --- what clean_image has left ---------------------------------------------------------------------------

BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
OF_THE_AGENT = re.compile(r"var/lib/dcm-(agent|jobs|backups|upgrade|migration|former)/|dcm/secure|dcm/logs|etc/dcm-agent/token"
                          r"|sealed-token")


@pytest.mark.parametrize("when,order,due", [
    ("now", f"{BOOT} g-1\n", True), ("boot", f"{BOOT} g-1\n", False), ("boot", "0" * 32 + " g-1\n", True),
    ("now", None, False), ("boot", None, False), ("boot", "", True), ("boot", "damaged", True)])
def test_what_is_left_of_the_agent(root, when, order, due):
    before = content(root)
    if order is not None:
        write(root, {"var/lib/dcm-seal/order": order.encode()})
    scrub(root, f"--sealed={when}")
    gone = {os.fsencode(path) for path in GOES if OF_THE_AGENT.search(path if isinstance(path, str) else "")} if due else set()
    assert before.keys() - content(root).keys() == gone
    assert (root / "var/lib/dcm-seal/order").exists() == (order is not None and not due)


def test_sealing_that_fails_keeps_its_order(root):
    write(root, {"var/lib/dcm-seal/order": b"0" * 32 + b" g-1\n"})
    if subprocess.run(["chattr", "+i", root / "var/lib/dcm-agent/token"], capture_output=True).returncode != 0:
        pytest.skip("this file system has no immutable files")
    try:
        done = scrub(root, "--sealed=boot", check=False)
    finally:
        subprocess.run(["chattr", "-i", root / "var/lib/dcm-agent/token"], check=True)
    assert done.returncode == 1 and "does not start before its former identity is removed" in done.stderr
    assert (root / "var/lib/dcm-seal/order").exists()
    scrub(root, "--sealed=boot")
    assert not (root / "var/lib/dcm-seal/order").exists() and not (root / "var/lib/dcm-agent/token").exists()


def test_rescue_of_a_job_has_the_token(root, key, tmp_path):
    secret, public = key
    archive = tmp_path / "rescue"
    scrub(root, "--yes", "--running", "--own-job=g-1", "--host-keys", "--rescue", archive, "-e", public)
    assert (root / "var/lib/dcm-agent/token").exists() and not (root / "etc/ssh/ssh_host_rsa_key").exists()
    assert recover(tmp_path / "place", secret, archive).returncode == 0
    assert (tmp_path / "place/var/lib/dcm-agent/token").exists() and (tmp_path / "place/etc/ssh/ssh_host_rsa_key").exists()


# --- out of the tree -------------------------------------------------------------------------------------


def test_links_are_not_followed(root, tmp_path):
    outside = tmp_path / "outside"
    write(outside, {"id_rsa": KEY, ".bash_history": b"x", "x.log": b"x", "d/dhclient.leases": b"x", "var/lib/dcm-agent/token": b"x"})
    before = content(outside)
    shutil.rmtree(root / "home/ann/.ssh")
    (root / "home/ann/.ssh").symlink_to(outside)
    (root / "home/eve").symlink_to(outside)
    (root / "var/log/apt/linked").symlink_to(outside)
    (root / "var/log/up.log").symlink_to(outside / "x.log")
    shutil.rmtree(root / "var/lib/dhcp")
    (root / "var/lib/dhcp").symlink_to(outside / "d")
    (root / "var/lib/dcm-jobs/one/link").symlink_to(outside)
    (root / "var/lib/dcm-jobs/two").symlink_to(outside)
    (root / "root/.zsh_history").symlink_to("/dev/null")
    (root / "root/.x_history").symlink_to("../etc/shadow")
    (root / "root/.ssh/key").symlink_to(outside / "id_rsa")
    done = scrub(root, "--yes")
    assert content(outside) == before
    for path in ("home/ann/.ssh", "home/eve", "var/lib/dhcp"):
        assert f"not looked into: /{path} is a symbolic link, which is not followed" in done.stderr
    assert done.stderr.count("/home/eve ") == 1
    assert "/root/.x_history is a symbolic link; what it leads to stays" in done.stderr and "zsh" not in done.stderr
    left = content(root)
    assert left[b"etc/shadow"] == b"keep" and left[b"root/.zsh_history"] == b"/dev/null" and b"root/.x_history" not in left
    assert b"var/lib/dcm-jobs/two" not in left and b"var/log/up.log" not in left


@pytest.fixture
def mount(root, tmp_path):
    """A file system in the tree that is not in memory."""
    made = []

    def make(place, files):
        image = tmp_path / f"disk-{len(made)}"
        with open(image, "wb") as f:
            f.truncate(8 << 20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        (root / place).mkdir(parents=True, exist_ok=True)
        if subprocess.run(["mount", "-o", "loop", image, root / place], capture_output=True).returncode != 0:
            pytest.skip("no loop devices here")
        made.append(root / place)
        shutil.rmtree(root / place / "lost+found")
        write(root / place, files)

    yield make
    for place in reversed(made):
        subprocess.run(["umount", place], check=True)


def test_other_file_systems(root, mount):
    mount("home", {"ann/.bash_history": b"x", "ann/.bashrc": b"x"})
    mount("var/lib/dcm-jobs/one/mnt", {"data": b"x"})
    before = content(root)
    done = scrub(root, "--yes", check=False)
    assert done.returncode == 1 and "not looked into: /home is a file system of its own\n" in done.stderr
    assert "--mount=DIR" in done.stderr and "nothing is removed" in done.stderr and content(root) == before
    for options in (["--mount=/home"], ["--leave=/home"]):
        assert scrub(root, "--dry-run", *options, check=False).returncode == 1
    done = scrub(root, "--yes", "--mount=/home", "--leave=/var/lib/dcm-jobs/one/mnt", check=False)
    assert done.returncode == 1  # the directory stays, since that is mounted there
    assert content(root) == {**{p: d for p, d in expected().items() if not p.startswith(b"home/")},
                             b"home/ann/.bashrc": b"x", b"var/lib/dcm-jobs/one/mnt/data": b"x"}


def test_file_systems_in_memory_are_left(root, tmp_path):
    done = subprocess.run(["mount", "-t", "tmpfs", "none", root / "var/lib/dhcp"], capture_output=True)
    if done.returncode != 0:
        pytest.skip("mounting is not possible here")
    (root / "var/lib/dhcp/dhclient.leases").write_bytes(b"in memory")
    try:
        done = scrub(root, "--yes")
        assert done.stderr == "" and (root / "var/lib/dhcp/dhclient.leases").exists()
    finally:
        subprocess.run(["umount", root / "var/lib/dhcp"], check=True)


def test_transient_machine_id(root, tmp_path):
    """systemd has mounted it over the file, which is emptied below it."""
    (tmp_path / "transient").write_text("f" * 32 + "\n")
    done = subprocess.run(["mount", "--bind", tmp_path / "transient", root / "etc/machine-id"], capture_output=True)
    if done.returncode != 0:
        pytest.skip("mounting is not possible here")
    try:
        scrub(root, "--yes")
        assert (tmp_path / "transient").read_text() == "f" * 32 + "\n"
    finally:
        subprocess.run(["umount", root / "etc/machine-id"], check=True)
    assert (root / "etc/machine-id").read_bytes() == b""


def test_hard_links(root):
    """Nothing is written into a file that has other names; they are told."""
    os.link(root / "etc/shadow", root / "home/ann/.other_history")
    os.link(root / "etc/hostname", root / "var/log/linked.log")
    (root / "etc/machine-id").unlink()
    os.link(root / "etc/passwd", root / "etc/machine-id")
    done = scrub(root, "--yes", check=False)
    assert done.returncode == 1 and "/etc/machine-id cannot be removed: Too many links" in done.stderr
    assert "/home/ann/.other_history  4 bytes, and other names of it (hard links), which stay" in done.stdout
    left = content(root)
    assert left[b"etc/shadow"] == b"keep" and left[b"etc/hostname"] == b"host" and left[b"etc/passwd"] == STAYS["etc/passwd"]
    assert b"home/ann/.other_history" not in left and b"var/log/linked.log" not in left


def test_what_is_no_file(root):
    """Nothing waits for a pipe, or for a device."""
    os.mkfifo(root / "home/ann/.ssh/pipe")
    os.mkfifo(root / "home/ann/.pipe_history")
    os.mkfifo(root / "var/lib/dcm-jobs/one/pipe")
    os.mknod(root / "var/log/zero.log", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    (root / "etc/ssh/ssh_host_dir_key").mkdir()
    write(root, {"etc/ssh/ssh_host_dir_key/x": b"x"})
    scrub(root, "--yes")
    assert {p for p, d in content(root).items() if isinstance(d, int)} == {b"home/ann/.ssh/pipe"}
    assert not (root / "etc/ssh/ssh_host_dir_key").exists()


def test_too_deep(root):
    directory = root / "var/lib/dcm-jobs/one"
    fd = os.open(directory, os.O_RDONLY)
    for _ in range(250):
        os.mkdir("d", dir_fd=fd)
        deeper = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.close(fd)
    done = scrub(root, "--yes", check=False)
    assert done.returncode == 1 and "lies too deep" in done.stderr and "cannot be removed: Directory not empty" in done.stderr
    assert not (root / "var/lib/dcm-agent/token").exists()


def test_what_cannot_be_removed_is_told(root):
    if subprocess.run(["chattr", "+i", root / "root/.bash_history"], capture_output=True).returncode != 0:
        pytest.skip("this file system has no immutable files")
    try:
        done = scrub(root, "--yes", check=False)
    finally:
        subprocess.run(["chattr", "-i", root / "root/.bash_history"], check=True)
    assert done.returncode == 1 and "/root/.bash_history cannot be removed: Operation not permitted" in done.stderr
    assert not (root / "var/lib/dcm-agent/token").exists() and not (root / "var/log/wtmp").exists()
    scrub(root, "--yes")
    assert content(root) == expected()


def test_no_tree(tmp_path):
    assert scrub(tmp_path / "nothing", check=False).returncode == 1
    (tmp_path / "empty").mkdir()
    assert "There is nothing to remove" in scrub(tmp_path / "empty", "--yes").stdout


# --- killed ----------------------------------------------------------------------------------------------


def test_killed_at_each_step(root, tmp_path):
    """At each removal; then it is repeated."""
    if not shutil.which("strace"):
        pytest.skip("no strace")
    last = 1
    for n in (*range(1, 12), *range(12, 400, 9)):
        victim = tmp_path / "victim"
        shutil.rmtree(victim, ignore_errors=True)
        shutil.copytree(root, victim, symlinks=True)
        done = scrub(victim, "--yes", check=False, before=[
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=unlinkat,ftruncate",
            "-e", f"inject=unlinkat,ftruncate:signal=KILL:when={n}"],
            ASAN_OPTIONS="detect_leaks=0")  # which does not work while it is traced
        if done.returncode == 0:
            break
        last = n
        assert done.returncode in (-9, 137), done.stderr
        assert not (victim / "var/lib/dcm-agent/agent.db").exists() or not n > 12
        scrub(victim, "--yes")
        assert content(victim) == expected()
    assert last > 40


# --- the rescue archive ----------------------------------------------------------------------------------


@pytest.fixture
def key(tmp_path):
    if not shutil.which("age"):
        pytest.skip("no age")
    secret = tmp_path / "key.txt"
    subprocess.run(["age-keygen", "-o", secret], check=True, capture_output=True)
    public = tmp_path / "key.pub"
    public.write_text(re.search("age1.*", secret.read_text())[0] + "\n")
    return secret, public


def recover(*arguments):
    return subprocess.run(["sh", RECOVERY, *arguments], capture_output=True, text=True)


def facts(root):
    found = {}
    for directory, _, files in os.walk(os.fsencode(root)):
        for name in files:
            info = os.lstat(os.path.join(directory, name))
            found[os.path.relpath(os.path.join(directory, name), os.fsencode(root))] = (
                info.st_mode, info.st_uid, info.st_gid, int(info.st_mtime))
    return found


@pytest.mark.parametrize("kind", ["age", "ssh"])
def test_rescue_archive(root, key, tmp_path, kind):
    secret, public = key
    if kind == "ssh":
        secret, public = tmp_path / "ssh", tmp_path / "ssh.pub"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", secret], check=True)
    (root / "var/lib/dcm-jobs/one/link").symlink_to("/etc/shadow")
    write(root, {"var/lib/dcm-jobs/one/large": os.urandom(3 << 20), "var/lib/dcm-jobs/one/" + "n" * 200: b"long"})
    os.chown(root / "home/ann/.viminfo", 1234, 4321)
    os.chmod(root / "home/ann/.viminfo", 0o640)
    os.utime(root / "home/ann/.viminfo", (10**9, 10**9))
    before, before_facts = content(root), facts(root)
    archive = tmp_path / "rescue.tar"
    scrub(root, "--yes", "--rescue", archive, "--recipient", public)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600 and SECRET not in archive.read_bytes()
    with tarfile.open(archive) as f:
        assert f.getnames() == ["recovery.sh", "data.age"]
        f.extractall(tmp_path / "unpacked")
    gone = {p for p in before if p not in content(root)} | {b"etc/machine-id"}
    for number, arguments in enumerate(([secret, archive], [secret, tmp_path / "unpacked"])):
        place = tmp_path / f"place-{number}"
        done = recover(place, *arguments)
        assert done.returncode == 0, done.stderr
        assert content(place) == {p: before[p] for p in gone}
        assert facts(place) == {p: before_facts[p] for p in gone}
    done = subprocess.run(["sh", tmp_path / "unpacked/recovery.sh", tmp_path / "place-2", secret], capture_output=True)
    assert done.returncode == 0 and content(tmp_path / "place-2").keys() == gone
    assert not list(tmp_path.glob("*.new"))
    done = scrub(root, "--yes", "--rescue", archive, "--recipient", public, check=False)
    assert done.returncode == 1 and "is there already" in done.stderr


def test_the_archive_comes_first(root, key, tmp_path):
    """If it fails, nothing is removed, and nothing is left of it."""
    public, before = key[1], content(root)
    pem = tmp_path / "pem"
    pem.write_text("-----BEGIN PUBLIC KEY-----\n")
    private = tmp_path / "private"
    private.write_bytes(KEY)
    (tmp_path / "bad").write_text("nonsense\n")
    (tmp_path / "false").mkdir()
    (tmp_path / "false/age").write_text("#!/bin/sh\nhead -c 99 >/dev/null\nexit 1\n")
    (tmp_path / "late").mkdir()
    (tmp_path / "late/age").write_text("#!/bin/sh\nn=$(head -c 5000 | wc -c)\n[ $n -eq 0 ] || exit 1\n")
    for name in ("false/age", "late/age"):
        (tmp_path / name).chmod(0o755)
    archive = tmp_path / "rescue"
    for keys, path, target, words in (
            (public, "/nonexistent", archive, "There is no age"), (public, f"{tmp_path}/false:/usr/bin:/bin", archive, "nothing is removed"),
            (public, f"{tmp_path}/late:/usr/bin:/bin", archive, "nothing is removed"),
            (pem, None, archive, "ssh-keygen -i -m PKCS8"), (private, None, archive, "is a private key"),
            (tmp_path / "bad", None, archive, "age does not take the keys"), (tmp_path / "none", None, archive, "cannot be read"),
            (public, None, tmp_path / "no/where", "cannot be written"), (public, None, public, "is there already"),
            (public, None, "/dev/full", "is there already")):
        done = scrub(root, "--yes", "--rescue", target, "-e", keys, check=False, PATH=path or os.environ["PATH"])
        assert done.returncode == 1 and words in done.stderr, done.stderr
        assert content(root) == before and not archive.exists() and not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize("place", ["var/lib/cloud/instances/rescue", "var/log/rescue.old", "root/.rescue_history"])
def test_the_archive_is_not_removed_itself(root, key, place):
    """Neither in a directory that goes as a whole, nor by a name that stands for something else."""
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    before = content(root)
    done = scrub(root, "--yes", "--rescue", root / place, "-e", key[1], check=False)
    assert done.returncode == 1 and "would be removed itself" in done.stderr and "nothing is removed" in done.stderr
    assert content(root) == before


def test_full_disk(root, key, tmp_path):
    before = content(root)
    write(root, {"var/lib/dcm-jobs/one/large": os.urandom(3 << 20)})
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", small], capture_output=True).returncode != 0:
        pytest.skip("mounting is not possible here")
    try:
        done = scrub(root, "--yes", "--rescue", small / "rescue", "-e", key[1], check=False)
        assert done.returncode == 1 and "nothing is removed" in done.stderr and not list(small.iterdir())
    finally:
        subprocess.run(["umount", small], check=True)
    assert {**before, b"var/lib/dcm-jobs/one/large": (root / "var/lib/dcm-jobs/one/large").read_bytes()} == content(root)


def test_recovery_says_what_is_wrong(root, key, tmp_path):
    secret, public = key
    archive = tmp_path / "rescue"
    scrub(root, "--yes", "--rescue", archive, "-e", public)
    place = tmp_path / "place"
    subprocess.run(["age-keygen", "-o", tmp_path / "other"], check=True, capture_output=True)
    cut = tmp_path / "cut"
    cut.write_bytes(archive.read_bytes()[:-12000])
    (tmp_path / "empty").mkdir()
    for arguments, status, words in (
            ([], 2, "Usage"), (["--nonsense"], 2, "Usage"), ([place, "", archive], 1, "give the private key"),
            ([place, tmp_path / "other", archive], 1, "right key"), ([place, secret, cut], 1, ""),
            ([place, tmp_path / "none", archive], 2, "cannot be read"), ([place, secret, tmp_path / "none"], 2, "there is no"),
            ([place, secret, tmp_path / "empty"], 1, "no rescue archive")):
        done = recover(*arguments)
        assert done.returncode == status and words in done.stderr, (arguments, done)
    assert recover("--help").returncode == 0


def derive(password, salt):
    """OpenSSL's EVP_BytesToKey() with one round of MD5."""
    made = block = b""
    while len(made) < 48:
        block = hashlib.md5(block + password + salt).digest()
        made += block
    return made[:32], made[32:48]


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_archives_of_the_python_agent(tmp_path, is_encrypted):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as f:
        member = tarfile.TarInfo("root/.bash_history")
        member.size = len(SECRET)
        f.addfile(member, io.BytesIO(SECRET))
    members = {"data.enc": gzip.compress(data.getvalue()), "recovery.sh": b"#!/bin/sh\n"}
    secret = tmp_path / "secret.pem"
    if is_encrypted:
        subprocess.run(["openssl", "genrsa", "-out", secret, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", secret, "-pubout", "-out", tmp_path / "public"], check=True, capture_output=True)
        password, salt = b"0123456789abcdef" * 2, b"saltsalt"
        key, iv = derive(password, salt)
        sealed = subprocess.run(["openssl", "enc", "-aes-256-cbc", "-K", key.hex(), "-iv", iv.hex()], check=True,
                                input=members["data.enc"], capture_output=True).stdout
        members["data.enc"] = b"Salted__" + salt + sealed
        members["key"] = subprocess.run(
            ["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", tmp_path / "public", "-pkeyopt", "rsa_padding_mode:pkcs1"],
            check=True, input=password, capture_output=True).stdout
        members["public_key"] = (tmp_path / "public").read_bytes()
    archive = tmp_path / "old.tar.gz"
    with tarfile.open(archive, "w:gz") as f:
        for name, content_ in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content_)
            f.addfile(member, io.BytesIO(content_))
    done = recover(tmp_path / "place", secret if is_encrypted else "", archive)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "place/root/.bash_history").read_bytes() == SECRET


def test_killed_while_it_saves(root, key, tmp_path):
    """Nothing is removed, and the next run saves."""
    before = content(root)
    os.mkdir(tmp_path / "bin")
    (tmp_path / "bin/age").write_text(f"#!/bin/sh\n[ -e '{tmp_path}/tried' ] || {{ : >'{tmp_path}/tried'; exec cat >/dev/null; }}\n"
                                      "kill -KILL $PPID\n")
    (tmp_path / "bin/age").chmod(0o755)
    archive = tmp_path / "rescue"
    done = scrub(root, "--yes", "--rescue", archive, "-e", key[1], check=False, PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    assert done.returncode == -signal.SIGKILL and content(root) == before and not archive.exists()
    scrub(root, "--yes", "--rescue", archive, "-e", key[1])
    assert archive.exists() and not list(tmp_path.glob("rescue.new")) and content(root) == expected()
