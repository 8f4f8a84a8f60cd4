# SPDX-License-Identifier: Apache-2.0
"""A virtual machine with small data disks, and dcm-volume in it."""

import base64
import gzip
import hashlib
import json
import os
import pathlib
import shlex
import struct
import uuid

PROGRAM = "/usr/lib/dcm-agent/dcm-volume"
POINT = "/mnt/data"
KEY = "canary-5ba1f0c2-key"
MIB = 1 << 20
PAUSE = "read -t 0.1 <> <(:) || true"  # in a shell that looks again and again for an event
BLOCK = 1 << 16  # in which the content of a disk is compared

# LUKS as it is, but a key derivation that takes no memory and no time: also a site's own script
FAST_LUKS = """#!/bin/bash
export DCM_LUKS_OPTIONS='--pbkdf pbkdf2 --pbkdf-force-iterations 1000'
exec /usr/lib/dcm-agent/scripts/setupEncryption "$@"
"""


# --- labels that no tool of the machine can make: (offset, bytes) --------------------------------------

def bcache_label():
    """A superblock at 4 KiB, its magic at 24 bytes, a uuid behind it."""
    magic = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")
    return [(4096, struct.pack("<QQQ", 0, 8, 1) + magic + uuid.UUID(int=7).bytes)]


def zfs_label(size):
    """A label is 256 KiB, its second half an array of uberblocks; four labels, two at each end."""
    blocks = b"".join(struct.pack("<QQQQQ", 0x00bab10c, 5000, i + 1, 1, 1).ljust(1024, b"\0") for i in range(128))
    return [(label + (128 << 10), blocks)
            for label in (0, 256 << 10, size - (512 << 10), size - (256 << 10))]


def digest(path):
    """Of a file that is mostly holes: those, and blocks of zeros, count as nothing."""
    found, zeros = hashlib.sha256(), bytes(BLOCK)
    with open(path, "rb", buffering=0) as file:
        end, size = 0, os.fstat(file.fileno()).st_size
        while end < size:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing but a hole is left
                break
            end = -(-os.lseek(file.fileno(), begin, os.SEEK_HOLE) // BLOCK) * BLOCK
            for offset in range(begin // BLOCK * BLOCK, end, BLOCK):
                data = os.pread(file.fileno(), BLOCK, offset)
                if data != zeros[:len(data)]:
                    found.update(offset.to_bytes(8, "little") + data)
    return found.hexdigest()


def processor_seconds():
    """Of this test with its machine and disks: what does not depend on who else works."""
    seconds = sum(os.times()[:4])
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == os.getpid():
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


class Failure(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise Failure(text)


class Volumes:
    """What tests do in one machine with the disks of NAMES."""

    def __init__(self, vm, names):
        self.vm = vm
        self.names = names

    def device(self, name):
        return f"/dev/disk/by-id/virtio-{name}"

    def wait_device(self, name):
        """Until a disk that was put in is there, and udev has looked at it."""
        self.vm.run(f"udevadm wait --timeout=500 {self.device(name)} && udevadm settle")

    def request(self, devices, fs="ext4", raid="NONE", **more):
        return {"formatVolume": True, "fileSystem": fs, "raidLevel": raid,
                "devices": [self.device(d) for d in devices], "mountPoint": POINT} | more

    def command(self, verb, arguments, key=None, environment=""):
        """The shell command; standard error is in /run/volume.log."""
        prepare = "rm -rf /run/key"
        if key is not None:
            prepare = ("install -d -m 0700 /run/key && printf %s " + shlex.quote(key) +
                       " >/run/key/encryptedFsEncryptionKey")
        return (f"{prepare}; printf %s {shlex.quote(json.dumps(arguments))} | {environment} "
                f"CREDENTIALS_DIRECTORY=/run/key {PROGRAM} {verb} 2>/run/volume.log")

    def call(self, verb, arguments, key=None):
        """The reply object."""
        answer = self.vm.try_run(self.command(verb, arguments, key), 1200)
        expect(answer is not None, f"{verb}: no answer")
        try:
            reply = json.loads(answer[1])
        except ValueError:
            log = self.vm.run("cat /run/volume.log", check=False)
            raise Failure(f"{verb} {arguments}: status {answer[0]}, {answer[1]!r}, {log}") from None
        expect(reply["return_code"] == min(answer[0], 1),
               f"{verb}: status {answer[0]}, reply {reply}")
        return reply

    def do_list(self):
        return json.loads(self.vm.run(f"{PROGRAM} list"))["reply_object"]

    def call_together(self, verb, requests):
        """The replies of requests that are begun at the same time."""
        for i, request in enumerate(requests):
            self.vm.run(f"printf %s {shlex.quote(json.dumps(request))} >/run/request{i}")
        self.vm.run(" ".join(f"{PROGRAM} {verb} </run/request{i} >/run/reply{i} 2>/run/volume{i}.log &"
                             for i in range(len(requests))) + " wait", 1200)
        return [json.loads(self.vm.run(f"cat /run/reply{i}")) for i in range(len(requests))]

    def explain(self):
        return self.vm.run(
            "tail -n 30 /run/volume.log; lsblk -o NAME,SIZE,TYPE,FSTYPE,UUID,MOUNTPOINTS; cat "
            "/proc/mdstat /etc/fstab /etc/crypttab; cat /var/lib/dcm-volumes/*.json; "
            "journalctl -b -n 40 --no-pager", check=False)

    def do(self, verb, arguments, key=None):
        reply = self.call(verb, arguments, key)
        expect(reply["return_code"] == 0, f"{verb} {arguments}: {reply}\n{self.explain()}")
        return reply

    def refuse(self, verb, arguments, *words, key=None):
        """The reply of a refusal, or a failure, which has these words in its text."""
        reply = self.call(verb, arguments, key)
        expect(reply["return_code"] != 0, f"{verb} {arguments}: was done: {reply}")
        for word in words:
            expect(word in reply["error_message"],
                   f"{verb} {arguments}: {word!r} is not in {reply}")
        return reply

    def source(self):
        """What is mounted on POINT, for PID 1; empty: nothing."""
        return self.vm.run(f"findmnt -N 1 -n -o SOURCE --mountpoint {POINT}", check=False).strip()

    def fill(self):
        """Writes files; returns what compares them."""
        self.vm.run(f"mkdir -p {POINT}/d && head -c 3000000 /dev/urandom >{POINT}/d/random && "
                    f"seq 1 20000 >{POINT}/numbers && sync -f {POINT}")
        return self.sums()

    def sums(self):
        return self.vm.run(f"cd {POINT} && sha256sum d/random numbers")

    def write_label(self, name, pieces):
        """Writes (offset, bytes) to a disk, from within."""
        for offset, data in pieces:
            text = base64.b64encode(gzip.compress(data)).decode()
            self.vm.run(f"printf %s {text} | base64 -d | gunzip | dd of={self.device(name)} bs=4096 conv=fsync,notrunc "
                        f"oflag=seek_bytes seek={offset} status=none")
        self.vm.run("udevadm settle")

    def fill_randomly(self, name):
        """A whole disk, from outside: what the machine has of it in its cache is dropped."""
        self.vm.run("sync")
        with open(self.vm.disks[name].file, "r+b") as file:
            for _ in range(os.fstat(file.fileno()).st_size // MIB):
                file.write(os.urandom(MIB))
        self.vm.run(f"blockdev --flushbufs {self.device(name)}")

    def content(self, name):
        """Of a whole disk, as it is outside."""
        self.vm.run("sync")
        return digest(self.vm.disks[name].file)

    def contents(self):
        return {name: self.content(name) for name in self.names}

    def tables(self):
        return self.vm.run("cat /etc/fstab /etc/crypttab 2>/dev/null", check=False)

    def clean(self):
        """Blank disks and no records, whatever was there."""
        self.vm.run(f"""
            rm -f /run/cut
            systemctl stop {shlex.quote(self.mount_unit())} mnt-second.mount 2>/dev/null
            for m in /dev/mapper/es*; do [ -b $m ] && cryptsetup close $m; done
            udevadm settle
            mdadm --stop --scan 2>/dev/null
            for d in {' '.join(self.device(n) for n in self.names)}; do
                mdadm --zero-superblock $d 2>/dev/null
                wipefs -aq $d
                dd if=/dev/zero of=$d bs=1M count=1 conv=fsync status=none
            done
            udevadm settle
            mdadm --stop --scan 2>/dev/null
            rm -rf /var/lib/dcm-volumes /etc/systemd/system/systemd-cryptsetup@* {POINT}
            : >/etc/fstab; : >/etc/crypttab
            systemctl daemon-reload
            systemctl reset-failed
            true""")

    @staticmethod
    def mount_unit():
        return POINT.strip("/").replace("/", "-") + ".mount"

    def push(self, path, target):
        """A small file into the machine."""
        data = base64.b64encode(path.read_bytes()).decode()
        self.vm.run(f": >{target}.b64")
        for i in range(0, len(data), 60000):
            self.vm.run(f"printf %s {data[i:i + 60000]} >>{target}.b64")
        self.vm.run(f"base64 -d {target}.b64 >{target}; rm {target}.b64")
