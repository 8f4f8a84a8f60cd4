# SPDX-License-Identifier: Apache-2.0
"""A virtual machine with small data disks, and dcm-volume in it."""

import base64
import hashlib
import json
import shlex

PROGRAM = "/usr/lib/dcm-agent/dcm-volume"
POINT = "/mnt/data"
KEY = "canary-5ba1f0c2-key"
MIB = 1 << 20

# LUKS as it is, but a key derivation that takes no memory and no time: also a site's own script
FAST_LUKS = """#!/bin/bash
export DCM_LUKS_OPTIONS='--pbkdf pbkdf2 --pbkdf-force-iterations 1000'
exec /usr/lib/dcm-agent/scripts/setupEncryption "$@"
"""


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
        answer = self.vm.try_run(self.command(verb, arguments, key), 600)
        expect(answer is not None, f"{verb}: no answer")
        try:
            reply = json.loads(answer[1])
        except ValueError:
            log = self.vm.run("cat /run/volume.log", check=False)
            raise Failure(f"{verb} {arguments}: status {answer[0]}, {answer[1]!r}, {log}") from None
        expect(reply["return_code"] == min(answer[0], 1),
               f"{verb}: status {answer[0]}, reply {reply}")
        return reply

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

    def content(self, name):
        """Of a whole disk, as it is outside."""
        self.vm.run("sync")
        with open(self.vm.disks[name].file, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() \
                if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()

    def contents(self):
        return {name: self.content(name) for name in self.names}

    def tables(self):
        return self.vm.run("cat /etc/fstab /etc/crypttab 2>/dev/null", check=False)

    def clean(self):
        """Blank disks and no records, whatever was there."""
        self.vm.run(f"""
            rm -f /run/cut
            systemctl stop {shlex.quote(self.mount_unit())} 2>/dev/null
            for m in /dev/mapper/es*; do [ -b $m ] && cryptsetup close $m; done
            udevadm settle
            mdadm --stop --scan 2>/dev/null
            for d in {' '.join(self.device(n) for n in self.names)}; do
                mdadm --zero-superblock $d 2>/dev/null
                wipefs -aq $d
                dd if=/dev/zero of=$d bs=1M count=20 conv=fsync status=none
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
