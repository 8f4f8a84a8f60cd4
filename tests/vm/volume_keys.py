# SPDX-License-Identifier: Apache-2.0
"""Parts of test-volumes: keys of encrypted volumes."""

from volumes import KEY, POINT, expect


class Keys:
    """Mixed into the test; it has vm, v and reboot()."""

    # --- keys -----------------------------------------------------------------------------------

    def part_keys(self):
        v = self.v
        v.clean()
        before = v.contents()
        v.refuse("apply", v.request(["d0"]), "empty", key="")
        self.vm.run("install -d -m 0700 /run/key; head -c 8388608 /dev/zero "
                    ">/run/key/encryptedFsEncryptionKey")
        command = v.command("apply", v.request(["d0"])).replace("rm -rf /run/key; ", "")
        answer = self.vm.try_run(command, 300)
        expect(answer and answer[0] != 0 and "8388608" in answer[1], f"a key of 8 MiB: {answer}")
        expect(v.contents() == before, "a refused key, and the disk has changed")
        self.check_wrong_key()

    def part_boot_key(self):
        self.v.clean()
        self.check_boot_key()

    def part_old_luks(self):
        self.check_old_luks()

    def check_boot_key(self):
        """The key at rest is sealed; it unlocks the volume at boot."""
        v = self.v
        request = v.request(["d0"], unlock_at_boot=True)
        v.do("apply", request, KEY)
        sums = v.fill()
        self.check_canary()
        self.reboot()
        self.vm.run(f"systemctl start {v.mount_unit()}")
        expect(v.sums() == sums, "not unlocked at boot: " + v.explain())
        self.check_unlocked_key()
        self.check_key_by_choice(request)
        name = v.source().rsplit("/", 1)[1]
        self.vm.run("rm /var/lib/dcm-volumes/*.json")  # what is there leads to the key, too
        v.do("remove", {"deviceId": name})
        expect(not self.sealed() and "UUID=" not in v.tables(), f"left: {self.sealed()} {v.tables()}")

    def sealed(self):
        return self.vm.run("ls /var/lib/dcm-volumes /etc/systemd/system | grep -e cred -e cryptsetup || true").strip()

    def check_key_by_choice(self, request):
        """The same volume without unlock_at_boot, and with it again."""
        v = self.v
        again = request | {"formatVolume": False}
        v.do("apply", again | {"unlock_at_boot": False}, KEY)
        expect(not self.sealed() and "headless=true" in v.tables() and "90s,noauto" in v.tables(),
               f"the key is not wanted any more: {self.sealed()} {v.tables()}")
        v.do("apply", again, KEY)
        expect(self.sealed() and "headless" not in v.tables() and "noauto" not in v.tables(),
               f"the key is wanted again: {self.sealed()} {v.tables()}")

    def check_canary(self, but="/var/lib/dcm-manager"):
        """Nowhere but in the test's own file, in the kernel, and below BUT."""
        self.vm.run("rm -rf /run/key; sync")
        found = self.vm.run(
            f"grep -rlF {KEY} /etc /var /run /tmp /root 2>/dev/null; "
            f"journalctl --no-pager | grep -F {KEY} | head -3; "
            "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline | grep -F "
            f"{KEY} | grep -v -e grep -e 'for p in'; tr '\\0' ' ' <$p/environ | grep -F {KEY}; "
            "done 2>/dev/null; true", check=False)
        # the manager of this test has the arguments until the answer, and its owner knows the key
        found = "".join(line for line in found.splitlines(True) if not line.startswith(but + "/"))
        expect(not found.strip(), f"the key is in: {found}")

    def check_unlocked_key(self):
        """systemd keeps a credential as long as its unit lives: in memory that is never swapped, for root alone."""
        directory = "/run/credentials/systemd-cryptsetup@*"
        expect(self.vm.run(f"stat -f -c %T {directory}; stat -c %a {directory}").split() == ["ramfs", "500"],
               "where systemd keeps the key: " + self.vm.run(f"ls -la {directory}; stat -f {directory}"))
        self.check_canary("/run/credentials")

    def check_wrong_key(self):
        v = self.v
        v.clean()
        request = v.request(["d0"])
        v.do("apply", request, KEY)
        sums = v.fill()
        v.do("remove", {"deviceId": POINT})
        again = request | {"formatVolume": False}
        before = v.contents()
        v.refuse("apply", again, "key", key="another")
        expect(v.contents() == before and not v.source() and "UUID=" not in v.tables(),
               "after a wrong key: " + v.explain())
        v.do("apply", again, KEY)
        expect(v.sums() == sums, "other files")

    def check_old_luks(self):
        """LUKS1, as the old agent made it, under its name."""
        v = self.v
        v.clean()
        self.vm.run(f"printf %s {KEY} | cryptsetup luksFormat -q --type luks1 --iter-time 10 --key-file=- "
                    f"{v.device('d0')} && printf %s {KEY} | cryptsetup open --key-file=- {v.device('d0')} old && "
                    "mkfs.ext4 -q /dev/mapper/old && udevadm settle && cryptsetup close old")
        request = v.request(["d0"], formatVolume=False)
        v.refuse("apply", request, "encrypted")
        v.do("apply", request, KEY)
        expect(self.vm.run(f"cryptsetup status {v.source()} | grep type:").split() == ["type:", "LUKS1"], v.explain())
        sums = v.fill()
        v.do("grow", {"deviceId": POINT})
        v.do("remove", {"deviceId": "es" + v.source().rsplit("/es", 1)[1]})
        expect(not self.vm.run("ls /dev/mapper 2>/dev/null | grep es || true").strip(), "the mapping is left")
        v.do("apply", request, KEY)
        expect(v.sums() == sums, "other files of LUKS1")
        v.do("remove", {"deviceId": POINT})
