# SPDX-License-Identifier: Apache-2.0
"""dcm-volume as a program, with sanitizers: whatever is on its standard input, in its environment or in the file of
its key, it answers with a reply and an exit status, or with usage, and never does anything. What it does to disks
is in tests/vm/test-volumes; here nothing but its words is looked at, and no request names a device that exists."""

import json
import os
import subprocess

import pytest

from harness import BUILD, DEADLINE, SANITIZER

PROGRAM = BUILD / "src/dcm-volume/dcm-volume"
GOOD = {"formatVolume": True, "fileSystem": "ext4", "raidLevel": "NONE", "devices": ["nosuchdisk"],
        "mountPoint": "/srv/dcm-test"}


def run(verb, text, **environment):
    data = text if isinstance(text, bytes) else json.dumps(text).encode()
    done = subprocess.run([PROGRAM, *([verb] if verb else [])], input=data, capture_output=True, timeout=120,
                          env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **SANITIZER, **environment})
    assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode(errors="replace")
    return done.returncode, done.stdout, done.stderr


def reply(verb, request, **environment):
    status, output, _ = run(verb, request, **environment)
    answer = json.loads(output)
    assert answer["return_code"] == 1 and status in (1, 3) and answer["error_message"]
    return answer


NOT_JSON = [b"", b" ", b"{", b"nonsense", b"[]", b"null", b"7", b'"text"', b"{}{}", b"\x00", b"\xff\xfe", b"[" * 100000,
            b'{"a":' * 50000, b'{"devices": ["a\x00b"]}', b"{'single': 1}", b"{,}"]


@pytest.mark.parametrize("i", range(len(NOT_JSON)))
def test_what_is_no_object(i):
    status, output, error = run(("plan", "apply", "remove", "grow")[i % 4], NOT_JSON[i])
    assert status == 1 and not output and b"Standard input is no JSON object with arguments" in error


LONG = "x" * 100000
BAD = [
    ({"formatVolume": "yes"}, "formatVolume"), ({"formatVolume": None}, "formatVolume"), ({"formatVolume": 1}, "formatVolume"),
    ({"fileSystem": "ntfs"}, "fileSystem"), ({"fileSystem": 7}, "fileSystem"), ({"fileSystem": ""}, "fileSystem"),
    ({"fileSystem": "ext4; reboot"}, "fileSystem"), ({"fileSystem": LONG}, "fileSystem"),
    ({"raidLevel": "RAID7"}, "raidLevel"), ({"raidLevel": []}, "raidLevel"), ({"raidLevel": "RAID-1"}, "raidLevel"),
    ({"raidLevel": "RAID1\n"}, "raidLevel"),
    ({"devices": "sdb"}, "devices"), ({"devices": {}}, "devices"), ({"devices": [[]]}, "devices"),
    ({"devices": [""]}, "devices"), ({"devices": [None]}, "devices"), ({"devices": ["a" * 256]}, "devices"),
    ({"devices": ["a\nb"]}, "devices"), ({"devices": ["a\u0000b"]}, "devices"), ({"devices": ["a"] * 65}, "devices"),
    ({"devices": ["a", "b"]}, "raidLevel is NONE"), ({"devices": [1.5]}, "devices"),
    ({"mountPoint": "relative"}, "mountPoint"), ({"mountPoint": "/srv/../etc"}, "mountPoint"), ({"mountPoint": "/a/./b"}, "mountPoint"),
    ({"mountPoint": "/srv/\u001b[2J"}, "mountPoint"), ({"mountPoint": "/" + LONG}, "mountPoint"), ({"mountPoint": ""}, "mountPoint"),
    ({"mountPoint": "/srv\nUUID=x / ext4"}, "mountPoint"), ({"mountPoint": ["/srv"]}, "mountPoint"),
    ({"label": "x" * 17}, "label"), ({"label": "a/b"}, "label"), ({"label": 3}, "label"), ({"label": "a\tb"}, "label"),
    ({"label": "x", "formatVolume": False}, "label"),
    ({"options": "a b"}, "options"), ({"options": "ro\n/dev/sda / ext4"}, "options"), ({"options": "bind"}, "options"),
    ({"options": "ro,remount"}, "options"), ({"options": "x#y"}, "options"), ({"options": "ro,noauto"}, "options"),
    ({"options": "x" * 1025}, "options"), ({"options": "loop=/dev/loop0"}, "options"),
    ({"force": "false"}, "force"), ({"degraded": 0}, "degraded"), ({"persistent": "no"}, "persistent"),
    ({"wait_for_sync": []}, "wait_for_sync"), ({"unlock_at_boot": True}, "unlock_at_boot"),
    ({"encryptedFsEncryptionKey": "c2VjcmV0"}, "must come as a file"), ({"forse": True}, "forse is not an argument"),
    ({"install_missing_tools": True}, "policy.conf(5)"),
    ({"x" * 100000: 1}, "is not an argument"), ({"\u001b[2J": 1}, "is not an argument"), ({"__proto__": {}}, "is not an argument"),
]


@pytest.mark.parametrize("i", range(len(BAD)))
def test_bad_argument(i):
    change, words = BAD[i]
    answer = reply(("plan", "apply")[i % 2], GOOD | change)
    assert answer["reply_object"]["code"] == "bad-argument" and words in answer["error_message"]
    assert len(answer["error_message"]) < 1000


@pytest.mark.parametrize("missing", ["formatVolume", "fileSystem", "devices"])
def test_missing_argument(missing):
    answer = reply("apply", {key: value for key, value in GOOD.items() if key != missing})
    assert f"{missing} is missing" in answer["error_message"]


@pytest.mark.parametrize("verb", ["remove", "grow"])
@pytest.mark.parametrize("request_", [{}, {"deviceId": ""}, {"deviceId": None}, {"deviceId": []}, {"device": "sdb"}], ids=range(5))
def test_no_device(verb, request_):
    assert reply(verb, request_)["error_message"] == "deviceId is missing"


@pytest.mark.parametrize("verb, request_", [("plan", GOOD), ("apply", GOOD), ("remove", {"deviceId": "/srv/dcm-test"}),
                                            ("grow", {"deviceId": "/srv/dcm-test"})], ids=range(4))
def test_dry_run_that_is_none(verb, request_):
    """Who asks for a plan and is not understood gets none of the real thing either."""
    for value in ("true", "yes", 1, [], {}):
        answer = reply(verb, request_ | {"dry_run": value})
        assert answer["reply_object"]["code"] == "bad-argument"
        assert answer["error_message"] == "dry_run is neither true nor false"


@pytest.mark.parametrize("verb, command", [("remove", "unmount_volume"), ("grow", "resize_volume")])
def test_unknown_argument(verb, command):
    answer = reply(verb, {"deviceId": "/srv/dcm-test", "dryrun": True})
    assert answer["error_message"] == f"dryrun is not an argument of {command}"
    answer = reply(verb, {"deviceId": "/srv/dcm-test", "encryptedFsEncryptionKey": "c2VjcmV0"})
    assert "must come as a file" in answer["error_message"]


@pytest.mark.parametrize("content, words", [
    (b"", "empty"), (b"x" * (512 * 1024 + 1), "at most 524288"), (b"x" * (8 << 20), "has 8388608 bytes")], ids=range(3))
def test_bad_key(tmp_path, content, words):
    (tmp_path / "encryptedFsEncryptionKey").write_bytes(content)
    for verb, request in (("apply", GOOD), ("plan", GOOD), ("grow", {"deviceId": "/srv/dcm-test"})):
        answer = reply(verb, request, CREDENTIALS_DIRECTORY=str(tmp_path))
        assert answer["reply_object"]["code"] == "bad-argument" and words in answer["error_message"]


def test_key_that_cannot_be_read(tmp_path):
    (tmp_path / "encryptedFsEncryptionKey").symlink_to("encryptedFsEncryptionKey")
    assert "The key cannot be read" in reply("apply", GOOD, CREDENTIALS_DIRECTORY=str(tmp_path))["error_message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look at disks")
def test_device_that_is_not_there():
    """Looks at this machine, and finds no such name."""
    for verb, request in (("plan", GOOD), ("plan", GOOD | {"formatVolume": False, "raidLevel": "RAID1"}),
                          ("remove", {"deviceId": "nosuchdisk"}), ("grow", {"deviceId": "/srv/nosuchvolume"})):
        answer = reply(verb, request)
        assert answer["reply_object"]["code"] == "missing" and "nosuch" in answer["error_message"], answer


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look at disks")
def test_list_and_facts():
    status, output, _ = run("list", b"")
    assert status == 0 and json.loads(output)["reply_type"] == "device_mapping_array"
    status, output, _ = run("facts", b"")
    assert status == 0 and "blocks" in json.loads(output)


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["apply", "more"], ["--nonsense"], ["list", "--force"]], ids=range(5))
def test_wrong_usage(arguments):
    done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 2 and done.stderr and not done.stdout
