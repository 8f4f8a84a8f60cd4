# SPDX-License-Identifier: Apache-2.0
"""Parts of test-volumes: the power is cut, or dcm-volume killed, and the same request comes again."""

import time

from volumes import KEY, PAUSE, POINT, expect

DISKS = ("d0", "d1", "d2", "d3")
LEVELS = {"NONE": 1, "RAID0": 2, "RAID1": 2, "RAID5": 3, "RAID10": 4}  # with how many disks
FULL_CUTS = 60  # of mount_volume, besides one after each record
FULL_UNMOUNT_CUTS = 10


class Cuts:
    """Mixed into the test; it has vm, v, build, random, faults, seconds, full and boot()."""

    # --- power cuts -----------------------------------------------------------------------------

    def push_cut(self):
        self.v.push(self.build / "tests/vm/cut.so", "/root/cut.so")
        self.vm.run("sync")

    def numbered(self, cases, count):
        """COUNT: how many of them by chance, or 2-5, from the second to the fifth; empty: as many as is usual."""
        first, _, last = count.partition("-")
        if last:
            return cases[int(first) - 1:int(last)]
        return cases if self.full and not count else self.random.sample(cases, int(count or 1))

    def part_cuts(self, count):
        """After each step of a plan: its power is gone at a moment when the record has just been written."""
        self.push_cut()
        n = self.count_records()
        for i in self.numbered(range(1, n + 1), count):
            self.check_cut("ext4" if i % 2 else "xfs", "RAID1", KEY, f"record {i} of {n}", record=i)

    def part_random_cuts(self, count):
        """At random moments, of any plan."""
        for _ in range(int(count or (FULL_CUTS if self.full else 1))):
            fs = self.random.choice(("ext4", "xfs", "btrfs"))
            raid = self.random.choice(list(LEVELS))
            key = self.random.choice((KEY, None))
            share = self.random.random()
            self.check_cut(fs, raid, key, f"{share * 100:.0f} %", moment=share * self.seconds["apply"])

    def part_remains(self):
        """An array is made of disks that had another one; the power is gone as soon as there is one."""
        v, vm, script = self.v, self.vm, "/etc/dcm-agent/scripts/configureRaid"
        for raid in ("RAID1", "RAID5"):
            v.clean()
            devices = DISKS[:LEVELS[raid]]
            v.do("apply", v.request(devices, "ext4", raid))
            v.fill()
            v.clean()
            self.choose_sync()
            vm.run(f"printf '#!/bin/sh\n/usr/lib/dcm-agent/scripts/configureRaid \"$@\"\nsync; : >/run/cut; sleep inf\n' >{script}; "
                   f"chmod 755 {script}; sync")
            request = v.request(devices, "btrfs", raid)
            self.run_until_cut(v.command("apply", request), record=True)
            expect(vm.run("ls /run/cut 2>/dev/null || true").strip(), "was not cut: " + vm.run("cat /run/reply") + v.explain())
            mode = self.cut_power()
            vm.run(f"rm {script}")
            reply = v.call("apply", request)
            expect(reply["return_code"] == 0, f"{raid}, {mode}, on what another array has left: {reply}\n{v.explain()}")
            v.fill()
            self.faults += 1
            self.log(f"an array on what another one has left: {raid} {mode}")

    def part_building(self):
        """A power cut while a new array is written that has not been synchronised yet."""
        v = self.v
        v.clean()
        self.sync_kib = 1000
        self.limit_sync()
        request = v.request(DISKS[:3], "ext4", "RAID5")
        v.do("apply", request)
        sums = v.fill()
        # not clean: the kernel notes so before it writes, and takes that back 200 ms after it
        self.run_until_cut(f"while dd if=/dev/zero of={POINT}/busy bs=64K count=16 oflag=direct 2>/dev/null; do : >/run/cut; done",
                           record=True)
        mode = self.cut_power()
        v.do("apply", request | {"formatVolume": False})
        expect(v.sums() == sums, "other files after a cut of an array that was being built")
        self.faults += 1
        self.log(f"an array that was being built: {mode}")

    def part_unmount_cuts(self, count):
        for _ in range(int(count or (FULL_UNMOUNT_CUTS if self.full else 1))):
            self.check_cut_unmount()

    def count_records(self):
        """How often the record is written for the plan that is cut."""
        return 2 * len(self.plan_of_cut()["steps"]) + 1

    def plan_of_cut(self):
        self.v.clean()
        return self.v.do("plan", self.v.request(DISKS[:2], raid="RAID1"), KEY)["reply_object"]

    def part_undo_cuts(self, count):
        """While a failure is undone: cut or killed after each change of the record, the same request goes on."""
        self.push_cut()
        plan = self.plan_of_cut()
        moments = [(i, kill) for i in range(2 * len(plan["steps"])) for kill in (False, True)]
        for i, kill in self.numbered(moments, count):
            self.check_cut_undo(2 * len(plan["steps"]) + i, f"undo {i + 1} of {2 * len(plan['steps'])}", kill)

    def check_cut_undo(self, record, text, kill):
        """RECORD: how often it was written; the last step of the way forward fails."""
        v, vm = self.v, self.vm
        v.clean()
        self.choose_sync()
        fs = self.random.choice(("ext4", "xfs"))
        request = v.request(DISKS[:2], fs, "RAID1")
        script = "/etc/dcm-agent/scripts/mount"
        vm.run(f"printf '#!/bin/sh\\n/usr/lib/dcm-agent/scripts/mount \"$@\"\\nexit 42\\n' >{script}; chmod 755 {script}; sync")
        self.run_until_cut(v.command("apply", request, KEY, f"DCM_CUT={record} LD_PRELOAD=/root/cut.so"), record)
        expect(vm.run("ls /run/cut 2>/dev/null || true").strip(), f"{text}: was not cut: " + vm.run("cat /run/reply") + v.explain())
        mode = "kill" if kill else self.cut_power()
        if kill:
            vm.run("pkill -9 dcm-volume; while pgrep -x dcm-volume >/dev/null; do " + PAUSE + "; done")
        vm.run(f"rm {script}; sync")
        v.do("apply", request, KEY)
        expect(v.source(), f"{text}: not mounted")
        sums = v.fill()
        v.do("remove", {"deviceId": POINT})
        v.do("apply", request | {"formatVolume": False}, KEY)
        expect(v.sums() == sums, "other files")
        self.faults += 1
        self.log(f"cut at {text}: {fs} RAID1 LUKS {mode}")

    def choose_sync(self):
        """An array is whole, or has hardly begun to be synchronised, when its power is cut; the first costs most of the time."""
        self.sync_kib = self.random.choice((1000, 200000))  # per second; the second is the kernel's own
        self.limit_sync()

    def limit_sync(self):
        self.vm.run(f"modprobe md_mod; echo {self.sync_kib} >/proc/sys/dev/raid/speed_limit_max")

    def run_until_cut(self, command, record=None, moment=None):
        """Starts it in the background; returns when the power is to be cut."""
        self.vm.run(f"rm -f /run/cut; ({command}) >/run/reply 2>&1 </dev/null & echo $! >/run/pid")
        if moment is not None:
            time.sleep(moment)  # the moment is the test, nothing is waited for
            return
        self.vm.run("while [ ! -e /run/cut ] && kill -0 $(cat /run/pid) 2>/dev/null; do "
                    f"{PAUSE}; done", 1200)

    def timed(self, verb, arguments, key=None):
        """Does it; the next cut is at a moment within so much time."""
        started = time.monotonic()
        reply = self.v.call(verb, arguments, key)
        self.seconds[verb] = time.monotonic() - started
        return reply

    def cut_power(self):
        mode = self.random.choice(("none", "prefix", "subset", "torn"))
        self.vm.power_cut(mode, self.random.getrandbits(32))
        self.boot()
        self.limit_sync()
        return f"{mode}, synchronised with {self.sync_kib} KiB/s"

    def check_cut(self, fs, raid, key, text, record=None, moment=None):
        v = self.v
        v.clean()
        self.choose_sync()
        request = v.request(DISKS[:LEVELS[raid]], fs, raid)
        self.vm.run("sync")
        other = v.content("d3") if LEVELS[raid] < 4 else None
        environment = f"DCM_CUT={record} LD_PRELOAD=/root/cut.so" if record else ""
        self.run_until_cut(v.command("apply", request, key, environment), record, moment)
        mode = self.cut_power()
        reply = self.timed("apply", request, key)
        expect(reply["return_code"] == 0,
               f"{fs} {raid} {key} cut at {text}: {reply}\n{v.explain()}")
        expect(v.source(), "not mounted")
        v.do("apply", request, key)
        left = self.vm.run("ls /etc/*.dcm-volume.new /var/lib/dcm-volumes/*.new 2>/dev/null || true")
        expect(not left, f"temporary files are left: {left}")
        sums = v.fill()
        v.do("remove", {"deviceId": POINT})
        v.do("apply", request | {"formatVolume": False}, key)
        expect(v.sums() == sums, "other files")
        if other:
            expect(v.content("d3") == other, "another disk has changed")
        self.faults += 1
        self.log(f"cut at {text}: {fs} {raid} {'LUKS' if key else 'plain'} {mode}")

    def check_cut_unmount(self):
        """The files are there after a cut during unmounting; unmounting again succeeds, and leaves nothing."""
        v = self.v
        v.clean()
        self.choose_sync()
        raid, key = self.random.choice(("NONE", "RAID1", "RAID5")), self.random.choice((KEY, None))
        request = v.request(DISKS[:LEVELS[raid]], "ext4", raid)
        v.do("apply", request, key)
        sums = v.fill()
        share = self.random.random()
        self.run_until_cut(v.command("remove", {"deviceId": POINT}), moment=share * self.seconds["remove"])
        mode = self.cut_power()
        reply = self.timed("remove", {"deviceId": v.device("d0")})
        expect(reply["return_code"] == 0, f"unmounting after a cut of it: {reply}" + v.explain())
        expect(not v.source() and "UUID=" not in v.tables(), "it is left: " + v.explain())
        expect(not self.vm.run("ls /dev/mapper 2>/dev/null | grep es || true").strip(), "a mapping is left: " + v.explain())
        v.do("apply", request | {"formatVolume": False}, key)
        expect(v.sums() == sums, "other files after a cut during unmounting")
        self.faults += 1
        self.log(f"cut of unmounting at {share * 100:.0f} %: {raid} {'LUKS' if key else 'plain'} {mode}")
