# SPDX-License-Identifier: Apache-2.0
"""In a booted machine, with the build installed: dcm-object against real servers. What is put is got
again, equal; what is missing, forbidden, down, cut off, silent or full is told apart; nothing partial
is ever seen under a name, here or there, whatever ends the transfer; keys are nowhere but in rclone's
environment, which only root and rclone's own user can read; memory is bounded."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import pwd
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import object_servers as servers  # noqa: E402
from object_servers import Proxy, free_port, wait_until  # noqa: E402

PROGRAM = "/usr/lib/dcm-agent/dcm-object"
FULL = os.environ.get("DCM_FAULTS") == "full"
GIB = int(os.environ.get("DCM_OBJECT_GIB") or FULL)
MIB = 1024 * 1024
MEMORY_MAX = 256 * MIB
STATUS = {"other": 1, "usage": 2, "no-such-bucket": 10, "no-such-object": 11, "forbidden": 12, "cut-off": 13,
          "no-space-here": 14, "no-space-there": 15, "wrong-endpoint": 16, "clock": 17, "unsupported": 18,
          "timeout": 19, "damaged": 20}


@contextlib.contextmanager
def place_fd(place):
    """The place as a pipe: it is in no file."""
    read, write = os.pipe()
    with os.fdopen(write, "w") as f:
        json.dump(place, f)
    try:
        yield read
    finally:
        os.close(read)


def start(place, verb, *arguments, **options):
    with place_fd(place) as fd:
        return subprocess.Popen([PROGRAM, verb, f"--place=/dev/fd/{fd}", *map(str, arguments)], pass_fds=[fd],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


class Result:
    def __init__(self, process, data=None):
        self.out, self.err = process.communicate(data)
        self.status = process.returncode
        lines = (self.out + b"\n" + self.err).decode(errors="replace").split("\n")
        self.reply = next((json.loads(line) for line in lines if line.startswith('{"ok":')), None)
        assert self.reply, (self.status, self.out[-500:], self.err[-500:])
        self.code = self.reply.get("code")
        assert self.reply["ok"] == (self.status == 0) and (self.status == 0 or self.status == STATUS[self.code])

    def __repr__(self):
        return f"{self.status} {self.reply} {self.err.decode(errors='replace')}"


def call(place, verb, *arguments, data=None):
    if data is not None and place.get("provider") == "webdav":
        arguments = (f"--size={len(data)}", *arguments)
    return Result(start(place, verb, *arguments, stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL), data)


def good(place, verb, *arguments, data=None):
    result = call(place, verb, *arguments, data=data)
    assert result.status == 0, result
    return result


def bad(place, code, verb, *arguments, data=None):
    result = call(place, verb, *arguments, data=data)
    assert result.code == code, result
    return result


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# --- the servers -------------------------------------------------------------------------------------

class Kind:
    """A way to a server. `port` is that of the server; a place may go through another one."""

    def __init__(self, name, place, port=None, wrong=None, leave=None):
        self.name, self.place, self.port, self.wrong, self.leave = name, place, port, wrong, leave

    def __repr__(self):
        return self.name


@pytest.fixture(scope="session")
def kinds():
    servers.WORK.mkdir(exist_ok=True)
    swift = servers.Swift()
    azurite, s3rver, sshd, webdav = servers.Azurite(), servers.S3rver(), servers.Sshd(), servers.Webdav()
    keystone, google = servers.Keystone(swift), servers.Google()
    directory = servers.WORK / "directory"
    directory.mkdir()
    all_kinds = [
        Kind("swift-s3", swift.place_s3, swift.PORT, {"secret": "wrong-4711"}, swift.leave),
        Kind("swift", swift.place, swift.PORT, {"secret": "wrong-4711"}, swift.leave),
        Kind("swift-v3", keystone.place, None, {"secret": "wrong-4711"}),
        Kind("azure", azurite.place, azurite.port, {"secret": "d3JvbmctNDcxMQ=="}),
        Kind("s3rver", s3rver.place, s3rver.port),  # takes a wrong secret
        Kind("google", google.place, None, {"credentials": {**google.place("b")["credentials"],
                                                            "client_email": "other@example.com"}}),
        Kind("sftp", sshd.place, sshd.port, {"secret": "wrong-4711"}, sshd.leave),
        Kind("sftp-key", lambda bucket, **more: sshd.place(bucket, **{"secret": "", "privateKey": sshd.private_key, **more}),
             None, {"privateKey": other_key()}),
        Kind("webdav", webdav.place, webdav.port, {"secret": "wrong-4711"}, webdav.leave),
        Kind("directory", lambda bucket, **more: {"provider": "directory", "bucket": str(directory / bucket), **more}),
    ]
    yield all_kinds
    for server in (swift, azurite, s3rver, sshd, webdav, keystone, google):
        server.stop()


def other_key():
    path = servers.WORK / "other-key"
    subprocess.run(["chroot", servers.ROOT, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/tmp/other"], check=True)
    path.write_text((servers.ROOT / "tmp/other").read_text())
    return path.read_text()


def each(kinds, function):
    """Several at a time: most of it is waiting."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        futures = {kind: pool.submit(function, kind) for kind in kinds}
    failed = {kind: future.exception() for kind, future in futures.items() if future.exception()}
    assert not failed, "\n".join(f"{kind}: {error!r}" for kind, error in failed.items())


def choose(kinds, *names):
    return [kind for kind in kinds if kind.name in names]


def proxied(kinds):
    return [kind for kind in kinds if kind.port]


@contextlib.contextmanager
def proxy(kind, **how):
    p = Proxy(kind.port, **how)
    try:
        yield p
    finally:
        p.stop()


@pytest.fixture(scope="session")
def content(tmp_path_factory):
    """12 MB, which no two pieces of are alike."""
    path = tmp_path_factory.mktemp("content") / "content"
    path.write_bytes(os.urandom(12_000_000))
    return path


def leftovers(directory):
    return [p.name for p in pathlib.Path(directory).iterdir()]


def no_units():
    shown = subprocess.run(["systemctl", "list-units", "--all", "--no-legend", "--plain", "dcm-object-*"],
                           capture_output=True, text=True, check=True).stdout
    return not shown.strip()


# --- what must work ----------------------------------------------------------------------------------

NAME = "a b/c+d%25/\u00e4 'x' #?&=.zip"


def test_round(kinds, tmp_path):
    def check(kind):
        place = kind.place(f"round-{kind.name}")
        data = os.urandom(300_000)
        source, target = tmp_path / f"{kind}.in", tmp_path / f"{kind}.out"
        source.write_bytes(data)
        bad(place, "no-such-bucket", "put", source, NAME)
        bad(place, "no-such-bucket", "get", NAME, target)
        first = good(place, "put", "--create-bucket", source, NAME)
        assert first.reply == {"ok": True, "size": len(data), "sha256": sha256(data), "bucketCreated": True, "readBack": True}
        assert b"created it" in first.err
        assert good(place, "put", "-", "empty", data=b"").reply["size"] == 0
        assert [o["name"] for o in good(place, "list").reply["objects"]] == sorted([NAME, "empty"])
        assert [o["size"] for o in good(place, "list", "a b/c").reply["objects"]] == [len(data)]
        assert good(place, "list", "none/").reply["objects"] == []
        assert good(place, "get", NAME, target).reply["sha256"] == sha256(data)
        assert target.read_bytes() == data and target.stat().st_mode & 0o777 == 0o600
        assert good(place, "get", "empty", "-").out == b""
        # an object is replaced
        assert good(place, "put", "-", NAME, data=b"second").reply["bucketCreated"] is False
        assert good(place, "get", NAME, "-").out == b"second"
        bad(place, "no-such-object", "get", "missing", target)
        bad({**place, "bucket": place["bucket"] + "-none"}, "no-such-bucket", "list")
        assert target.read_bytes() == data  # the former file stays
        bad(place, "no-such-object", "head", "a b")
        good(place, "delete", NAME)
        bad(place, "no-such-object", "delete", NAME)
    each(kinds, check)
    assert sorted(leftovers(tmp_path)) == sorted(f"{k}.{e}" for k in kinds for e in ("in", "out"))


def test_size_of_a_stream(kinds):
    """Standard input that ends too early, or too late, becomes no object; WebDAV must know the size."""
    def check(kind):
        place = kind.place(f"size-{kind}")
        good(place, "put", "--create-bucket", "--size=4", "-", "x", data=b"data")
        for data in (b"dat", b"data+"):
            result = Result(start(place, "put", "--size=4", "-", "y", stdin=subprocess.PIPE), data)
            assert "another size" in result.reply["text"]
        bad(place, "no-such-object", "head", "y")
    webdav = choose(kinds, "webdav")[0]
    each(choose(kinds, "swift-s3", "webdav", "directory"), check)
    result = Result(start(webdav.place("size-webdav"), "put", "-", "y", stdin=subprocess.PIPE), b"data")
    assert result.code == "unsupported" and "--size" in result.reply["text"]


def test_hash(kinds):
    """A content that is not the expected one is refused, and deleted where it was written already."""
    def check(kind):
        place = kind.place(f"hash-{kind.name}")
        good(place, "put", "--create-bucket", f"--sha256={sha256(b'data')}", "-", "x", data=b"data")
        bad(place, "damaged", "put", f"--sha256={sha256(b'other')}", "-", "y", data=b"data")
        bad(place, "no-such-object", "head", "y")
        bad(place, "damaged", "get", f"--sha256={sha256(b'other')}", "x", "-")
        assert good(place, "put", "--no-read-back", "-", "z", data=b"data").reply["readBack"] is False
    each(choose(kinds, "swift-s3", "azure", "sftp", "directory") if FULL else choose(kinds, "swift-s3", "directory"), check)


def has_no_secret(place, result):
    """What rclone quotes of a failed request has no key in it."""
    secrets = [place.get("secret"), place.get("privateKey"), place.get("credentials", {}).get("private_key")]
    assert not any(secret[:40] in str(result) for secret in secrets if secret) and "sig=" not in str(result)


def test_wrong_key(kinds):
    def check(kind):
        place = {**kind.place("keys", **kind.wrong)}
        has_no_secret(place, bad(place, "forbidden", "put", "--create-bucket", "-", "x", data=b"data"))
        has_no_secret(place, bad(place, "forbidden", "get", "x", "-"))
    each([kind for kind in kinds if kind.wrong], check)


def test_wrong_host_key(kinds):
    sftp = choose(kinds, "sftp")[0]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHbM8Pyv1KD1gEzLBCNI0vKkF3nZzZ8lS5o0JcXxWqkT"
    assert "hostKey" in bad({**sftp.place("b"), "hostKey": key}, "wrong-endpoint", "list").reply["text"]


def test_down(kinds):
    def check(kind):
        place = kind.place("down", port=free_port())
        has_no_secret(place, bad(place, "wrong-endpoint", "put", "-", "x", data=b"data"))
        has_no_secret(place, bad(place, "wrong-endpoint", "get", "x", "-"))
    each([k for k in proxied(kinds) if FULL or k.name in ("swift-s3", "swift", "sftp")], check)


def test_not_that_server(kinds):
    s3, webdav = choose(kinds, "swift-s3", "webdav")
    bad(s3.place("b", port=1), "wrong-endpoint", "list")
    bad({**s3.place("b"), "endpoint": "http://nowhere.invalid"}, "wrong-endpoint", "list")
    bad({**s3.place("b"), "endpoint": f"https://127.0.0.1:{s3.port}"}, "wrong-endpoint", "list")
    bad({**s3.place("b"), "region": "eu-west-1"}, "wrong-endpoint", "list")
    bad({"cloudId": 16, "bucket": "b"}, "unsupported", "list")
    bad({"cloudId": 1, "bucket": "b"}, "usage", "list")


def test_arguments_of_a_request(kinds, content, tmp_path):
    """The place is what the arguments of a request say."""
    s3, = choose(kinds, "swift-s3")
    place = s3.place("requested")
    arguments = {"serviceImageDirectory": "requested", "cloudId": "1", "apiAccessKey": place["key"],
                 "apiSecretKey": place["secret"], "apiEndpoint": place["endpoint"]}
    region = f"--region={place['region']}" if "region" in place else "--region=us-east-1"
    good(place, "put", "--create-bucket", content, "image.tgz")
    good(arguments, "get", "--request=install_service", region, "image.tgz", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == content.read_bytes()
    bad({**arguments, "cloudId": "16"}, "unsupported", "head", "--request=install_service", "image.tgz")
    bad({**arguments, "apiAccessKey": ""}, "usage", "head", "--request=install_service", "image.tgz")


# --- what goes wrong in the middle -------------------------------------------------------------------

def test_cut_once(kinds, content, tmp_path):
    """One reset in the middle: the transfer is completed, and equal."""
    def check(kind):
        good(kind.place(f"once-{kind}"), "put", "--create-bucket", "-", "x", data=b"")
        with proxy(kind, after=3_000_000, cuts=1) as p:
            place = kind.place(f"once-{kind}", port=p.port)
            assert good(place, "put", content, "x").reply["readBack"] is True
            assert p.cut == 1
        with proxy(kind, after=3_000_000, cuts=1) as p:
            place = kind.place(f"once-{kind}", port=p.port)
            reply = good(place, "get", "x", tmp_path / str(kind)).reply
            assert p.cut == 1 and reply["sha256"] == sha256(content.read_bytes())
    each(proxied(kinds) if FULL else choose(kinds, "swift-s3"), check)


def test_cut_always(kinds, content, tmp_path):
    """Each connection is reset: an upload ends without an object, a download goes on until it has all,
    or ends without a file."""
    def check(kind):
        good(kind.place(f"always-{kind}"), "put", "--create-bucket", content, "x")
        with proxy(kind, after=3_000_000, cuts=10**9) as p:
            place = kind.place(f"always-{kind}", port=p.port)
            bad(place, "cut-off", "put", content, "y")
            reply = good(place, "get", "x", tmp_path / str(kind)).reply
            assert reply["resumed"] >= 3 and reply["sha256"] == sha256(content.read_bytes())
        bad(kind.place(f"always-{kind}"), "no-such-object", "head", "y")
        with proxy(kind, after=1, cuts=10**9) as p:
            bad(kind.place(f"always-{kind}", port=p.port), "cut-off", "get", "x", tmp_path / f"{kind}-none")
        assert [o["name"] for o in good(kind.place(f"always-{kind}"), "list").reply["objects"]] == ["x"]
    chosen = [k for k in proxied(kinds) if k.name in (("swift-s3", "swift", "sftp", "webdav") if FULL else ("swift-s3",))]
    each(chosen, check)
    assert sorted(leftovers(tmp_path)) == sorted(str(k) for k in chosen)


def test_silent(kinds, tmp_path):
    """A server that accepts and says nothing, and one that falls silent in the middle."""
    def check(kind):
        with proxy(kind, silent=True) as p:
            place = kind.place("silent", port=p.port)
            bad(place, "timeout", "put", "--patience=3", "-", "x", data=b"data")
            bad(place, "timeout", "get", "--timeout=3", "x", tmp_path / "x")
    each([k for k in proxied(kinds) if FULL or k.name in ("swift-s3", "sftp")], check)
    assert leftovers(tmp_path) == [] and no_units()


def test_slow(kinds, tmp_path):
    """A slow server is no failure, as long as something moves."""
    def check(kind):
        data = os.urandom(MIB)
        with proxy(kind, rate=400_000) as p:
            place = kind.place(f"slow-{kind}", port=p.port)
            result = good(place, "put", "--create-bucket", "--progress", "-", "x", data=data)
            assert result.reply["sha256"] == sha256(data)
            result = good(place, "get", "--progress", "--patience=3", "x", tmp_path / str(kind))
        told = [int(n) for n in re.findall(r"^(\d+) %$", result.err.decode(), re.M)]
        assert told == sorted(set(told)) and told[-1] == 100 and len(told) >= 2
    each(proxied(kinds) if FULL else choose(kinds, "swift-s3"), check)


def test_what_killed_uploads_leave(kinds, content):
    """It is removed when it is old: files with other names, and parts of S3, which are in a container of their own in
    Swift. Others stay."""
    def check(kind):
        place = kind.place(f"tidy-{kind}")
        seen = choose(kinds, "swift")[0].place(place["bucket"] + "+segments") if kind.name == "swift-s3" else place
        good(place, "put", "--create-bucket", "-", "a/x", data=b"x")
        with contextlib.ExitStack() as stack:
            where = place
            if kind.port:  # parts of 16 MiB: one is there before the end
                where = kind.place(f"tidy-{kind}", port=stack.enter_context(proxy(kind, rate=20_000_000)).port)
            arguments = ["--size=40000000"] if kind.name == "webdav" else []
            process = start(where, "put", *arguments, "-", "a/big", stdin=subprocess.PIPE)
            for _ in range(3):
                process.stdin.write(content.read_bytes())
            process.stdin.flush()
            wait_until(lambda: any("big" in o["name"] for o in call(seen, "list").reply.get("objects", [])),
                       f"{kind}: a part")
            process.kill()
            process.communicate()
        if kind.name != "swift-s3":
            assert good(place, "tidy", "a/").reply["removed"] == 0
        good(place, "tidy", "--older-than=1", "b/")
        left = [o["name"] for o in good(seen, "list").reply["objects"]]
        assert any("big" in name for name in left), left

        def tidy():
            good(place, "tidy", "--older-than=1", "a/b")
            return not any("big" in o["name"] for o in good(seen, "list").reply["objects"])
        wait_until(tidy, f"{kind}: nothing is left")
        assert good(place, "get", "a/x", "-").out == b"x"
    names = ("swift-s3", "sftp", "webdav", "directory") if FULL else ("swift-s3", "directory")
    each(choose(kinds, *names), check)


def test_full_there(kinds, content):
    """What is not told: Swift's proxy says that the service is not available, rclone's WebDAV server that the
    method is not allowed. There is no object in any case."""
    def check(kind, code):
        place = kind.place(f"full-{kind}")
        good(place, "put", "--create-bucket", "-", "small", data=b"small")
        kind.leave(4 * MIB)
        try:
            result = bad(place, code, "put", content, "big")
        finally:
            kind.leave(2048 * MIB)
        assert code != "other" or re.search("503|405", result.reply["text"])
        bad(place, "no-such-object", "head", "big")
        assert [o["name"] for o in good(place, "list").reply["objects"]] == ["small"]
    for kind, code in zip(choose(kinds, "swift-s3", "swift", "sftp", "webdav"),
                          ("other", "other", "no-space-there", "other")):
        if FULL or kind.name == "sftp":
            check(kind, code)


def test_full_directory(content, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        bad({"provider": "directory", "bucket": str(disk)}, "no-space-there", "put", content, "x")
        assert leftovers(disk) == []


@contextlib.contextmanager
def small_disk(path):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def test_full_here(kinds, content, tmp_path):
    def check(kind):
        place = kind.place(f"here-{kind}")
        good(place, "put", "--create-bucket", content, "x")
        with small_disk(tmp_path / str(kind)) as disk:
            bad(place, "no-space-here", "get", "x", disk / "x")
            assert leftovers(disk) == []
    each(choose(kinds, "swift-s3", "directory"), check)


# --- whatever ends it --------------------------------------------------------------------------------

def units():
    shown = subprocess.run(["systemctl", "list-units", "--no-legend", "--plain", "dcm-object-*"], capture_output=True,
                           text=True, check=True).stdout
    return [line.split()[0] for line in shown.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_while_writing(kinds, number):
    """The end of a killed process is not the end of the object."""
    def check(kind):
        place = kind.place(f"killed-{kind}-{number}")
        good(place, "put", "--create-bucket", "-", "small", data=b"small")
        process = start(place, "put", "-", "big", stdin=subprocess.PIPE)
        process.stdin.write(os.urandom(8_000_000))
        process.stdin.flush()
        process.send_signal(number)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        wait_until(no_units, "the unit ends with its caller")
        bad(place, "no-such-object", "head", "big")
    for kind in choose(kinds, "swift-s3", "swift", "azure", "sftp") if FULL else choose(kinds, "swift-s3", "azure"):
        check(kind)


def test_killed_while_reading(kinds, content, tmp_path):
    kind = choose(kinds, "swift-s3")[0]
    good(kind.place("killed-reading"), "put", "--create-bucket", content, "x")
    with proxy(kind, rate=1_000_000) as p:
        process = start(kind.place("killed-reading", port=p.port), "get", "--progress", "x", tmp_path / "x")
        process.stderr.readline()  # it has begun
        process.kill()
        process.communicate()
    wait_until(no_units, "the unit ends with its caller")
    assert leftovers(tmp_path) == []


def test_unit_killed(kinds):
    """If rclone's unit is killed there is neither an object, nor a success."""
    kind = choose(kinds, "swift-s3")[0]
    place = kind.place("unit-killed")
    good(place, "put", "--create-bucket", "-", "small", data=b"small")
    process = start(place, "put", "-", "big", stdin=subprocess.PIPE)
    process.stdin.write(os.urandom(4_000_000))
    process.stdin.flush()
    wait_until(units, "the unit is there")
    subprocess.run(["systemctl", "kill", "--signal=KILL", *units()], check=True)
    process.stdin.close()
    process.stdin = None
    assert Result(process).code == "other"
    bad(place, "no-such-object", "head", "big")


def test_file_changes(kinds, tmp_path):
    """A file that grows while it is read becomes no object."""
    kind = choose(kinds, "swift-s3")[0]
    path = tmp_path / "growing"
    path.write_bytes(os.urandom(4_000_000))
    good(kind.place("growing"), "put", "--create-bucket", "-", "small", data=b"")
    with proxy(kind, rate=1_000_000) as p:
        process = start(kind.place("growing", port=p.port), "put", "--progress", path, "x")
        process.stderr.readline()
        with open(path, "ab") as f:
            f.write(b"more")
        assert "another size" in Result(process).reply["text"]
    bad(kind.place("growing"), "no-such-object", "head", "x")


# --- from a job, and secrets -------------------------------------------------------------------------

SANDBOX = ["ProtectSystem=strict", "PrivateTmp=yes", "ProtectHome=yes", "NoNewPrivileges=yes", "ProtectKernelTunables=yes",
           "ReadWritePaths=/srv", "CapabilityBoundingSet=CAP_DAC_OVERRIDE", "PrivateDevices=yes"]


def test_in_a_sandbox(kinds, content):
    """As a script of commands.d calls it: a unit with a sandbox, the place as a credential."""
    kind = choose(kinds, "swift-s3")[0]
    place = pathlib.Path("/run/place.json")
    place.write_text(json.dumps(kind.place("sandbox")))
    shared = pathlib.Path("/srv/content")
    shared.write_bytes(content.read_bytes())
    done = subprocess.run(["systemd-run", "--quiet", "--wait", "--pipe", f"--property=LoadCredential=place:{place}",
                           *(f"--property={p}" for p in SANDBOX), "sh", "-ec",
                           f'{PROGRAM} put --create-bucket --place="$CREDENTIALS_DIRECTORY/place" /srv/content x; '
                           f'{PROGRAM} get --place="$CREDENTIALS_DIRECTORY/place" x /srv/again; cmp /srv/content /srv/again'],
                          capture_output=True, text=True)
    place.unlink()
    assert done.returncode == 0, done
    assert [json.loads(line)["size"] for line in done.stdout.splitlines()] == [12_000_000] * 2


def test_not_root(kinds):
    kind = choose(kinds, "swift-s3")[0]
    with place_fd(kind.place("b")) as fd:
        done = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", PROGRAM, "list", f"--place=/dev/fd/{fd}"],
                              pass_fds=[fd], capture_output=True, text=True)
    assert done.returncode in (1, 2) and json.loads(done.stdout)["ok"] is False


def descendants_of(unit):
    group = subprocess.run(["systemctl", "show", "--property=ControlGroup", "--value", unit], capture_output=True,
                           text=True, check=True).stdout.strip()
    return [int(pid) for pid in pathlib.Path(f"/sys/fs/cgroup{group}/cgroup.procs").read_text().split()]


def processes_with(secret):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if secret.encode() in path.read_bytes():
                found.append(path)
    return found


def can_read_environment(pid, user):
    return subprocess.run(["setpriv", f"--reuid={user}", "--clear-groups", "cat", f"/proc/{pid}/environ"],
                          capture_output=True).returncode == 0


def test_secrets(kinds, tmp_path):
    """Looks while a transfer stands still, and afterwards."""
    kind = choose(kinds, "swift-s3")[0]
    secrets = {"key": "canary-key-4711", "secret": "canary-secret-4711", "token": "canary-token-4711"}
    marker = tmp_path / "marker"
    marker.touch()
    with proxy(kind, silent=True) as p:
        process = start({**kind.place("b", port=p.port), **secrets}, "list", "--patience=5", cwd=tmp_path)
        wait_until(lambda: units() and len(descendants_of(units()[0])) == 2, "rclone runs")
        unit = units()[0]
        shown = subprocess.run(["systemctl", "show", unit], capture_output=True, text=True, check=True).stdout
        rclone = [pid for pid in descendants_of(unit) if pathlib.Path(f"/proc/{pid}/exe").readlink().name == "rclone"]
        environment = pathlib.Path(f"/proc/{rclone[0]}/environ").read_bytes()
        names = {line.split(b"=")[0] for line in environment.split(b"\0") if line}
        assert all(name.startswith(b"RCLONE_CONFIG") for name in names) and secrets["secret"].encode() in environment
        owner = os.stat(f"/proc/{rclone[0]}").st_uid
        assert owner not in (0, pwd.getpwnam("dcm").pw_uid)
        for user in ("dcm", "dcm-agent", "nobody"):
            assert not can_read_environment(rclone[0], user)
            assert not can_read_environment(process.pid, user)
        for secret in secrets.values():
            assert secret not in shown and not processes_with(secret)
        result = Result(process)
        assert result.code == "timeout"
    wait_until(no_units, "the unit is gone")
    journal = subprocess.run(["journalctl", "--no-pager", "--output=export"], capture_output=True, check=True).stdout
    files = subprocess.run(["find", "/etc", "/home", "/root", "/run", "/srv", "/tmp", "/var", "/dev/shm", "-path", servers.ROOT,
                            "-prune", "-o", "-newer", marker, "-type", "f", "-size", "-1M", "-exec", "grep", "-ls",
                            "canary-[kst][a-z]*-4711", "{}", "+"], capture_output=True, text=True).stdout
    for secret in secrets.values():
        assert secret.encode() not in journal and secret not in str(result)
    assert [f for f in files.split() if "object_test" not in f and "/var/log/journal" not in f] == []


# --- memory ------------------------------------------------------------------------------------------

class Memory:
    """The peak of all processes together: of the unit's, and the calling one. A sandbox need not have the
    controller that would count a unit's memory."""

    def __init__(self, process):
        self.process, self.value = process, 0
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self):
        while self.process.poll() is None:
            pids = [self.process.pid]
            for path in pathlib.Path("/sys/fs/cgroup").glob("dcm.slice/dcm-jobs.slice/dcm-object-*/cgroup.procs"):
                with contextlib.suppress(OSError):
                    pids += path.read_text().split()
            self.value = max(self.value, sum(map(self._peak_of, pids)) if len(pids) >= 3 else 0)
            time.sleep(0.02)

    @staticmethod
    def _peak_of(pid):
        with contextlib.suppress(OSError, TypeError):
            return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024
        return 0

    def peak(self):
        self.thread.join()
        assert self.value > 20 * MIB  # rclone was there
        return self.value


def measure(place, verb, *arguments, **options):
    process = start(place, verb, *arguments, **options)
    memory = Memory(process)
    result = Result(process)
    assert result.status == 0, result
    return result.reply, memory.peak()


def memory_check(kind, size, tmp_path):
    path = tmp_path / "sparse"
    with open(path, "wb") as f:
        f.truncate(size)
        for offset in range(0, size, 16 * MIB):  # no two pieces alike
            f.seek(offset)
            f.write(os.urandom(64))
    place = kind.place(f"memory-{kind}")
    began = time.monotonic()
    put, put_peak = measure(place, "put", "--create-bucket", path, "x")
    middle = time.monotonic()
    got, get_peak = measure(place, "get", "x", "/dev/shm/x")
    print(f"{kind}: {size // MIB} MiB: put {put_peak / MIB:.0f} MiB in {middle - began:.0f} s, "
          f"get {get_peak / MIB:.0f} MiB in {time.monotonic() - middle:.0f} s")
    os.unlink("/dev/shm/x")
    good(place, "delete", "x")
    assert put["sha256"] == got["sha256"] and max(put_peak, get_peak) < MEMORY_MAX


def test_memory(kinds, tmp_path):
    """Does not grow with the object: by default a small one, with --faults 1 GiB, with DCM_OBJECT_GIB=5 that many."""
    size = GIB * 1024 * MIB or 160 * MIB
    for kind in choose(kinds, "swift-s3", "azure", "swift", "sftp", "webdav") if FULL else choose(kinds, "swift-s3"):
        memory_check(kind, size, tmp_path)
