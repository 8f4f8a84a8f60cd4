# SPDX-License-Identifier: Apache-2.0
"""Parts of test-volumes: what is wrong with the machine, or with who asks."""

import json
import pathlib
import re
import shlex

from volumes import KEY, PAUSE, POINT, expect

RULE = "/etc/dcm-agent/alerts.conf.d/test.conf"
POLICY = "/etc/dcm-agent/policy.conf.d/test.conf"
SUB = f"{POINT}/sub"
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "docs/man/dcm-volume.8"

# in place of the package manager: "installs" what was put away, or has no network
APT_GET = """#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >>/run/apt.log
[ ! -e /run/apt-fails ] || { echo 'E: Temporary failure resolving' >&2; exit 100; }
[ "$1" != update ] || { rm -f /run/apt-no-lists; exit 0; }
[ ! -e /run/apt-no-lists ] || { echo 'E: Unable to locate package' >&2; exit 100; }
mv /root/hidden/* /usr/sbin/
"""


class Trouble:
    """Mixed into the test; it has vm, v, random, faults and reboot()."""

    # --- an array without a disk ------------------------------------------------------------------

    def part_degraded(self):
        """RAID1 without one of its disks: said by all, mounted only by choice; and the disk comes back."""
        v = self.v
        v.clean()
        request = v.request(["d0", "d1"], raid="RAID1")
        v.do("apply", request, KEY)
        sums = v.fill()
        self.check_alert()
        reply = v.do("apply", request, KEY)
        expect("has 1 of its 2 disks; not attached: " + v.device("d1") in reply["message"], f"degraded: {reply}")
        array = [d["array"] for d in v.do_list() if d.get("kind") == "array"][0]
        expect(array["missing"] == 1, f"list_devices: {array}")
        self.reboot()
        expect(not v.source(), "mounted without its key")
        v.refuse("apply", request, "1 of its 2 disks; not attached: " + v.device("d1"), "degraded = true", key=KEY)
        v.refuse("apply", request | {"formatVolume": False}, "1 of its 2 disks", "degraded = true", key=KEY)
        expect(not v.source(), "mounted although nobody has chosen that")
        v.do("apply", request | {"degraded": True}, KEY)
        expect(v.sums() == sums, "other files without a disk")
        sums = v.fill()
        self.check_disk_that_comes_back(request, sums)

    def check_alert(self):
        """The shipped rule, without its patience, in a running agent; status says the same."""
        vm = self.vm
        vm.run(f"mkdir -p {RULE.rsplit('/', 1)[0]}; sed -n '/^#.array-degraded/,/^$/s/^#//p' "
               f"/etc/dcm-agent/alerts.conf | sed 's/^interval = .*/interval = 1/' >{RULE}; "
               "systemctl restart dcm-agent")
        vm.unplug("d1")
        # md notices at its next write
        vm.run(f"echo x >{POINT}/x; sync -f {POINT}; "
               f"until [ $(cat /sys/class/block/md*/md/degraded) = 1 ]; do {PAUSE}; done")
        found = vm.run(f"until dcm-agentctl alerts | grep array-degraded; do {PAUSE}; done")
        expect("missing is 1, above 0" in found, f"alert: {found}")
        status = json.loads(vm.run("dcm-agentctl --json status", check=False))
        expect(any("lacks 1 of its 2 disks" in text for text in status["VolumeProblems"]), f"status: {status}")
        vm.run(f"systemctl stop dcm-agent; rm {RULE}")

    def part_sync(self):
        """A new array is synchronised in the background: said, and followed to its end if that is asked for; nobody
        else has to wait for it."""
        v, vm = self.v, self.vm
        v.clean()
        limits = "/proc/sys/dev/raid/speed_limit_min /proc/sys/dev/raid/speed_limit_max"
        vm.run(f"modprobe md_mod; grep . {limits} >/run/limits; echo 200 | tee {limits}")  # KiB/s: half an hour
        request = v.request(["d0", "d1"], raid="RAID1")
        reply = v.do("apply", request)
        expect("/dev/md/data is being synchronised (" in reply["message"], f"a new array: {reply}")
        percent = [d["array"].get("sync_percent") for d in v.do_list() if d.get("kind") == "array"]
        expect(percent and 0 <= percent[0] < 100, f"list_devices: {percent}")
        vm.run(f"({v.command('apply', request | {'wait_for_sync': True})}) >/run/reply </dev/null & echo $! >/run/pid; "
               f"until grep -q '% synchronising the array' /run/volume.log; do {PAUSE}; done; "
               f"until flock -n /run/dcm-agent-volumes.lock true; do {PAUSE}; done")
        expect(vm.run("cat /run/reply") == "", "it did not wait")
        vm.run(f"echo 2000000 | tee {limits} >/dev/null; while kill -0 $(cat /run/pid) 2>/dev/null; do {PAUSE}; done")
        reply = json.loads(vm.run("cat /run/reply"))
        expect(reply["return_code"] == 0 and "The array /dev/md/data is synchronised\n" in reply["message"],
               f"after the end: {reply}")
        reply = v.do("apply", request | {"wait_for_sync": True})
        expect("synchronised" not in reply["message"], f"there is nothing to wait for: {reply}")
        vm.run("sed 's/:/ /' /run/limits | while read -r file value; do echo $value >$file; done")
        v.do("remove", {"deviceId": POINT})
        self.check_rebuilding(limits)

    def check_rebuilding(self, limits):
        """The last disk of a new RAID 5 is rebuilt for hours: it is there, for all who ask."""
        v, vm = self.v, self.vm
        v.clean()
        vm.run(f"grep . {limits} >/run/limits; echo 200 | tee {limits}")
        request = v.request(["d0", "d1", "d2"], raid="RAID5")
        v.do("apply", request)
        reply = v.do("apply", request)
        expect("degraded" not in reply["message"], f"while it is rebuilt: {reply}")
        array = [d["array"] for d in v.do_list() if d.get("kind") == "array"][0]
        expect(array["missing"] == 0, f"list_devices: {array}")
        v.do("remove", {"deviceId": POINT})
        v.do("apply", request | {"formatVolume": False})
        expect(vm.run("cat /sys/class/block/md*/md/degraded").strip() == "1", "it was not being rebuilt any more")
        vm.run("sed 's/:/ /' /run/limits | while read -r file value; do echo $value >$file; done")
        v.do("remove", {"deviceId": POINT})

    def check_disk_that_comes_back(self, request, sums):
        """It is out of date, and never mounted in place of the other one."""
        v = self.v
        v.do("remove", {"deviceId": POINT})
        self.vm.plug(self.vm.disks["d1"])
        v.wait_device("d1")
        v.refuse("apply", request | {"formatVolume": False}, "out of date", key=KEY)
        v.do("apply", request | {"formatVolume": False, "degraded": True}, KEY)
        expect(v.sums() == sums, "other files: those of the disk that was away")
        self.vm.run(f"mdadm /dev/md/data --re-add {v.device('d1')} || mdadm /dev/md/data --add {v.device('d1')}; "
                    "mdadm --wait /dev/md/data || true")
        reply = v.do("apply", request | {"formatVolume": False}, KEY)
        expect("degraded" not in reply["message"], f"whole again: {reply}")
        # the old half alone, as udev starts it when it comes first
        v.do("remove", {"deviceId": POINT})

    # --- /etc that cannot be written --------------------------------------------------------------

    def part_etc(self):
        """Full, read-only, and fstab that is a mount point: refused or undone, and no disk has changed."""
        v = self.v
        v.clean()
        self.check_read_only()
        self.check_full()

    def check_read_only(self):
        v = self.v
        before = v.tables()
        self.vm.run("mount --bind /etc/fstab /etc/fstab")
        v.refuse("apply", v.request(["d0"]), "/etc/fstab")
        self.vm.run("umount /etc/fstab")
        expect(not v.source() and v.tables() == before, "/etc/fstab that is a mount point")
        self.vm.run("mount --bind /etc /etc && mount -o remount,bind,ro /etc")
        disks = v.contents()
        v.refuse("apply", v.request(["d0"]), "/etc is read-only")
        expect(v.contents() == disks, "/etc is read-only, and a disk has changed")
        v.do("apply", v.request(["d0"], persistent=False))
        v.do("remove", {"deviceId": POINT})
        self.vm.run("umount /etc")
        self.faults += 2

    def check_full(self):
        v, vm = self.v, self.vm
        v.clean()
        vm.run("echo '# a line of somebody' >/etc/fstab")  # an empty file would need no space
        before = v.tables()
        vm.run("mkdir -p /run/etc && mount -t tmpfs -o size=16M tmpfs /run/etc && cp -a /etc/. /run/etc && "
               "mount --bind /run/etc /etc")
        self.fill_etc()
        v.refuse("apply", v.request(["d0"]), "No space left", "has been undone", key=KEY)
        expect(not v.source() and v.tables() == before, "/etc is full: " + v.explain())
        expect(not vm.run(f"blkid -p {v.device('d0')}", check=False).strip(), "the disk was not made blank again")
        vm.run("rm /etc/filler")
        v.do("apply", v.request(["d0"]), KEY)
        sums = v.fill()
        self.fill_etc()
        v.refuse("remove", {"deviceId": POINT}, "No space left",
                 "Done before that: unmounting the file system; closing the encrypted device")
        expect(not v.source(), "it says that it was unmounted, and it is mounted")
        vm.run("rm /etc/filler")
        v.do("remove", {"deviceId": POINT})
        expect("UUID=" not in v.tables(), "unmounted, and its lines are left: " + v.tables())
        vm.run("umount /etc && umount /run/etc")
        v.do("apply", v.request(["d0"], formatVolume=False), KEY)
        expect(v.sums() == sums, "other files")
        self.faults += 2

    def fill_etc(self):
        self.vm.run("dd if=/dev/zero of=/etc/filler bs=4096 2>/dev/null; ! echo x >/etc/other 2>/dev/null; rm -f "
                    "/etc/other")

    # --- missing programs -------------------------------------------------------------------------

    def part_tools(self):
        """A program that is not there: its package is named, or installed if the policy says so."""
        v, vm = self.v, self.vm
        v.clean()
        before = v.contents()
        request = v.request(["d0"], "xfs")
        vm.run("mkdir -p /root/hidden && mv /usr/sbin/mkfs.xfs /root/hidden/ && mv /usr/bin/apt-get /root/apt-get && "
               f"printf %s {shlex.quote(APT_GET)} >/usr/bin/apt-get && chmod 755 /usr/bin/apt-get; rm -f /run/apt.log")
        v.refuse("apply", request, "mkfs.xfs is not installed", "install_missing_tools", "apt-get install xfsprogs")
        vm.run(f"mkdir -p {POLICY.rsplit('/', 1)[0]}; printf '[policy]\\ninstall_missing_tools = yes\\n' >{POLICY}; "
               "touch /run/apt-fails")
        v.refuse("apply", request, "mkfs.xfs is not installed", "could not be installed", "Temporary failure resolving",
                 "apt-get install xfsprogs")
        plan = v.call("plan", request)
        expect(plan["return_code"] == 1 and v.contents() == before, f"a dry run installs nothing: {plan}")
        vm.run("rm /run/apt-fails; touch /run/apt-no-lists")  # as a fresh machine
        v.do("apply", request)
        log = vm.run("cat /run/apt.log")
        install = "noninteractive --assume-yes --no-install-recommends install xfsprogs"
        expect(log.splitlines() == [install, "noninteractive update"] * 2 + [install], f"the package manager was asked for: {log}")
        v.do("remove", {"deviceId": POINT})
        vm.run(f"mv /root/apt-get /usr/bin/apt-get; rm {POLICY}")
        self.faults += 2

    # --- one volume below another -----------------------------------------------------------------

    def part_below(self):
        """A volume on a directory of another one: the upper one goes last, and comes first at boot."""
        v = self.v
        v.clean()
        v.do("apply", v.request(["d0"]))
        v.do("apply", v.request(["d1"], "xfs", mountPoint=SUB))
        sums = v.fill()
        self.vm.run(f"echo below >{SUB}/file; sync -f {SUB}")
        v.refuse("remove", {"deviceId": POINT}, SUB, "unmount it first")
        self.reboot()
        self.vm.run(f"systemctl start mnt-data-sub.mount")
        expect(v.sums() == sums and self.vm.run(f"cat {SUB}/file") == "below\n", "after a reboot")
        self.vm.run("systemctl stop mnt-data.mount")
        v.refuse("apply", v.request(["d1"], "xfs", mountPoint=SUB), f"{SUB} is below {POINT}", "mount it first")
        v.do("apply", v.request(["d0"]))
        v.do("apply", v.request(["d1"], "xfs", mountPoint=SUB))
        expect(self.vm.run(f"cat {SUB}/file") == "below\n", "another volume below")
        v.do("remove", {"deviceId": SUB})
        v.do("remove", {"deviceId": POINT})

    # --- attacks ----------------------------------------------------------------------------------

    def part_attack(self):
        """Names that lead elsewhere, two requests at once, a disk that is locked, and kill -9 after each step."""
        v = self.v
        v.clean()
        self.check_names()
        self.check_bad_record()
        self.check_locked()
        self.check_two_requests()
        self.check_same_request_twice()
        self.check_kills()

    def check_names(self):
        """Only what udev knows is a device; a link that was bent is noticed."""
        v, vm = self.v, self.vm
        before = v.contents()
        real = vm.run(f"readlink -f {v.device('d0')}").strip()
        link = v.device("d1")
        vm.run(f"ln -sf {real} /tmp/link; ln -sf {real} /dev/disk/by-id/virtio-evil")
        for name in ("/tmp/link", "/dev/disk/by-id/virtio-evil", f"/dev/../{real}", f"{real}/", "", "/dev/", "/",
                     "/etc/passwd", "/dev/null", "/dev/tty", "-a", "$(reboot)", "vd*", "a" * 300, "vdb\n", "\x01"):
            reply = v.refuse("apply", v.request([]) | {"devices": [name]})
            expect(len(reply["error_message"]) < 2000, f"{name!r}: {reply}")
        vm.run(f"ln -sf {real} {link}")
        v.refuse("apply", v.request(["d1"]), "leads to another device")
        vm.run(f"rm /dev/disk/by-id/virtio-evil /tmp/link {link}; udevadm trigger --settle --subsystem-match=block")
        expect(v.contents() == before, "a refused name, and a disk has changed")

    def check_bad_record(self):
        """It may be about any disk: nothing is written as long as it is there; what is mounted is unmounted."""
        v = self.v
        record = "/var/lib/dcm-volumes/00112233445566778899aabbccddeeff.json"
        v.do("apply", v.request(["d0"]))
        before = [v.content(name) for name in v.names[1:]]
        for text in ("", "{", "[" * 2000, '{"id": 7}', "\\0"):
            self.vm.run(f"printf {shlex.quote(text)} | tee {record} >/dev/null")
            v.refuse("apply", v.request(["d1"], mountPoint="/mnt/second"), f"The record {record} is damaged")
            v.refuse("remove", {"deviceId": "/mnt/second"}, "there is no volume")
        reply = v.do("remove", {"deviceId": POINT})
        expect(f"The record {record} is damaged" in reply["message"] and not v.source(), f"unmounted beside it: {reply}")
        self.vm.run("rm -r /var/lib/dcm-volumes")
        expect([v.content(name) for name in v.names[1:]] == before, "a damaged record, and a disk has changed")

    def check_locked(self):
        """Somebody else formats under udev's lock: that is waited for, and not for ever."""
        v, vm = self.v, self.vm
        v.clean()
        before = v.contents()
        vm.run(f"exec 7<{v.device('d0')}; flock 7; cp /bin/sleep /run/formatter; "
               "/run/formatter 100000 </dev/null >/dev/null 2>&1 & echo $! >/run/formatter.pid")
        reply = v.refuse("apply", v.request(["d0"]), "is locked by", "not released within 60 s")
        expect("waiting for" in vm.run("cat /run/volume.log"), f"the log says nothing of the lock: {reply}")
        expect(v.contents() == before, "a locked disk was written")
        vm.run("kill $(cat /run/formatter.pid)")
        v.do("apply", v.request(["d0"]))
        v.do("remove", {"deviceId": POINT})
        self.faults += 1

    def check_two_requests(self):
        """One disk for two mount points at once: one gets it, whole."""
        v, vm = self.v, self.vm
        v.clean()
        requests = [v.request(["d0"], fs, mountPoint=point) for fs, point in (("ext4", POINT), ("xfs", "/mnt/second"))]
        replies = v.call_together("apply", requests)
        done = [i for i, reply in enumerate(replies) if reply["return_code"] == 0]
        expect(len(done) == 1, f"two requests at once: {replies}")
        loser = replies[1 - done[0]]
        expect(loser["reply_object"]["code"] in ("in-use", "signature"), f"the other one: {loser}")
        point = requests[done[0]]["mountPoint"]
        vm.run(f"echo x >{point}/x")
        v.do("remove", {"deviceId": point})
        vm.run("rmdir /mnt/second 2>/dev/null", check=False)

    def check_same_request_twice(self):
        v = self.v
        v.clean()
        replies = v.call_together("apply", 2 * [v.request(["d0", "d1"], raid="RAID1")])
        expect([reply["return_code"] for reply in replies] == [0, 0], f"the same request twice: {replies}")
        expect(sum("nothing was changed" in reply["message"] for reply in replies) == 1, f"{replies}")
        v.do("remove", {"deviceId": POINT})

    def check_kills(self):
        """dcm-volume is killed after each record; the same request goes on. No power is cut."""
        v, vm = self.v, self.vm
        self.push_cut()
        n = self.count_records()
        for i in range(1, n + 1) if self.full else self.random.sample(range(1, n + 1), 2):
            v.clean()
            request = v.request(["d0", "d1"], "ext4" if i % 2 else "xfs", "RAID1")
            self.run_until_cut(v.command("apply", request, KEY, f"DCM_CUT={i} LD_PRELOAD=/root/cut.so"), record=i)
            vm.run("pkill -9 dcm-volume; while pgrep -x dcm-volume >/dev/null; do " + PAUSE + "; done")
            v.do("apply", request, KEY)
            expect(v.source(), f"killed after record {i}: not mounted")
            self.faults += 1
            self.log(f"killed after record {i} of {n}")

    # --- the manual page --------------------------------------------------------------------------

    def part_manual(self):
        """The examples of dcm-volume(8), one after the other, as they are but for the names of the disks."""
        v, vm = self.v, self.vm
        v.clean()
        text = MANUAL.read_text()
        blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", text[text.index(".Sh EXAMPLES"):], re.M | re.S)
        expect(len(blocks) == 4, f"{len(blocks)} examples")
        for letter, name in (("b", "d0"), ("c", "d1"), ("d", "d2")):
            real = self.kernel_name(name)
            blocks = [block.replace(f'"sd{letter}"', f'"{real}"') for block in blocks]
        for i, block in enumerate(blocks):
            script = re.sub(r"^\\&", "", block, flags=re.M).replace("\\e", "\\")
            output = vm.run(f"cd /usr/lib/dcm-agent && set -e; exec 2>/run/volume.log; (\n{script}\n) "
                            f"< <(echo {KEY})", 600)
            codes = set(re.findall('"return_code": *([0-9]+)', output))
            expect(codes == {"0"}, f"{script}: {output}")
            if i == 0:
                table = output.splitlines()
                expect(any(line.split()[0] == self.kernel_name("d3") and "384.0M" in line and "disk/by-id/virtio-d3" in line
                           for line in table) and any("/ " in line and "root disk" in line for line in table), output)
                vm.run("echo text >/srv/data/file")
            if i == 1:
                expect(vm.run("findmnt -N 1 -n -o SOURCE /srv/secret").startswith("/dev/mapper/es"), v.explain())
                self.check_canary()
        expect(vm.run("cat /srv/data/file") == "text\n", "the last example")
        v.do("remove", {"deviceId": "/srv/data"})

    # --- time -------------------------------------------------------------------------------------

    def part_time(self):
        """Four disks, RAID10, LUKS and xfs beside the same by hand: printed, and no more."""
        v, vm = self.v, self.vm
        seconds = {}
        v.clean()
        request = v.request(["d0", "d1", "d2", "d3"], "xfs", "RAID10")
        seconds["dcm-volume"] = self.measure(v.command("apply", request, KEY))
        expect(v.source() == "/dev/mapper/esdata", v.explain())
        v.do("remove", {"deviceId": POINT})
        v.clean()
        disks = " ".join(v.device(d) for d in ("d0", "d1", "d2", "d3"))
        seconds["by hand"] = self.measure(f"""set -e
            mdadm --create /dev/md/hand --run --level=10 --raid-devices=4 --bitmap=internal --homehost=any {disks}
            printf %s {KEY} | cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \\
                --key-file=- /dev/md/hand
            printf %s {KEY} | cryptsetup open --key-file=- /dev/md/hand eshand
            mkfs.xfs -q /dev/mapper/eshand
            mkdir -p {POINT}
            echo "eshand UUID=$(blkid -s UUID -o value /dev/md/hand) none luks,noauto,nofail" >>/etc/crypttab
            echo "UUID=$(blkid -s UUID -o value /dev/mapper/eshand) {POINT} xfs defaults,nofail,noauto 0 2" >>/etc/fstab
            systemctl daemon-reload
            udevadm settle
            systemctl start mnt-data.mount""")
        expect(v.source() == "/dev/mapper/eshand", v.explain())
        print("test-volumes: RAID10 of four disks, LUKS, xfs: "
              + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
              + f", ratio {seconds['dcm-volume'] / seconds['by hand']:.2f}", flush=True)
        v.clean()

    def measure(self, command):
        """Seconds, by the clock of the machine."""
        answer = self.vm.run(f"t=$(date +%s.%N); ({command}) >/run/out 2>&1; s=$?; "
                             "echo $s $t $(date +%s.%N)", 600).split()
        expect(answer[0] == "0", f"status {answer[0]}: {self.vm.run('cat /run/out')}")
        return float(answer[2]) - float(answer[1])
