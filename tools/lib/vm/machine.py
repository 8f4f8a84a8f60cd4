# SPDX-License-Identifier: Apache-2.0
"""Virtual machines with a kernel and disks of their own, emulated by QEMU without KVM.

The root disk is served by nbdkit with forgetful_disk.py: a write cache that a power cut empties. Data
disks are plain files, which keep all that was written; each may have such a cache, too.
build-image builds the boot files once; they stay in a cache until their recipe changes."""

import base64
import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
RECIPE = ("build-image", "initrd-init", "guest-shell", "guest-shell.service")
BOOT_TIMEOUT_SEC = 600
COMMAND_TIMEOUT_SEC = 600  # an emulated machine on a busy one may be ten times as slow
KEEP_IMAGE_SEC = 24 * 3600
PREFIX = "dcm-vm-"
KERNEL_OPTIONS = (
    "console=ttyS0 loglevel=4 nokaslr mitigations=off apparmor=0 selinux=0 audit=0 "
    "cryptomgr.notests random.trust_cpu=on tsc=reliable no_timer_check raid=noautodetect "
    "net.ifnames=0 panic=-1 systemd.show_status=0"
)
# "max" has what costs an emulator most: five levels of page tables, strings copied byte by byte, vectors of 32 bytes
PROCESSOR = "qemu64,+aes,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand,+pclmulqdq,+fsgsbase"
WITHOUT_UDEV = " ".join(f"systemd.mask={unit}" for unit in (
    "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket"))


class VmError(Exception):
    pass


def log(text):
    print(f"vm: {text}", file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a program that says nothing unless it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise VmError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def spawn(command, directory, output):
    """A process that dies with this one, whatever ends that."""
    with open(directory / output, "ab") as stream:
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)],
                                cwd=directory, stdin=subprocess.DEVNULL, stdout=stream,
                                stderr=subprocess.STDOUT, start_new_session=True)


# --- the image ----------------------------------------------------------------------------------

def cache_directory():
    if os.environ.get("DCM_VM_CACHE"):
        return pathlib.Path(os.environ["DCM_VM_CACHE"])
    home = os.environ.get("XDG_CACHE_HOME")
    return pathlib.Path(home or "/var/cache") / "dcm-agent-vm"


def image_directory():
    """The directory with vmlinux, initrd and root.raw; built when there is none of this recipe."""
    recipe = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in RECIPE)).hexdigest()
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    image = cache / recipe[:16]
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            remove_old_images(cache)
            log(f"building the image {image} (about a minute)")
            run(HERE / "build-image", image)
        os.utime(image)
    return image


def remove_old_images(cache):
    """Those that were not used for long: another working tree may boot from one right now."""
    for old in cache.iterdir():
        if old.is_dir() and old.stat().st_mtime < time.time() - KEEP_IMAGE_SEC:
            shutil.rmtree(old)


# --- directories that do not outlive their owner ------------------------------------------------

def remove_abandoned():
    for path in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), open(path / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)


@contextlib.contextmanager
def scratch_directory():
    remove_abandoned()
    path = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
    with open(path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield path
        finally:
            shutil.rmtree(path)


def end_on_signals():
    """So that an interrupted test removes what it made."""
    def on_signal(number, _frame):
        for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(s, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)


# --- machines -----------------------------------------------------------------------------------

def build_agent(build):
    if not (build / "build.ninja").exists():
        run("meson", "setup", build, ROOT)
    run("ninja", "-C", build)


def pack(build, files, archive):
    """An archive with the installed build and FILES, a dictionary of paths and contents."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as tree:
        run("meson", "install", "-C", build, "--no-rebuild", "--strip", "--destdir", tree)
        for path, text in files.items():
            target = pathlib.Path(tree + path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        # sorted by name, with parents: their modes must not be those of the temporary directory
        run("tar", "-c", "-f", archive, "-C", tree, "--owner=0", "--group=0", "--mode=go-w",
            "--sort=name", *sorted(os.listdir(tree)))


class Disk:
    """A disk of a machine: a file of SIZE bytes (or "512M", as truncate has it), which outlives power
    cuts and reboots. NAME is its serial number, as the guest sees it.

    bus: "virtio"; "nvme"; "google", a SCSI disk as Google's machines have it.
    forgetful: it has a write cache that a power cut empties; see Machine.power_cut()."""

    def __init__(self, name, size=None, bus="virtio", forgetful=False):
        if bus not in ("virtio", "nvme", "google"):
            raise VmError(f"disk {name}: unknown bus {bus}")
        self.name = name
        self.size = size
        self.bus = bus
        self.forgetful = forgetful
        self.attached = True
        self.server = None

    def create(self, directory):
        self.directory = directory
        self.file = directory / f"{self.name}.raw"
        if self.size is not None:
            run("truncate", "-s", str(self.size), self.file)

    # --- nbdkit, for a disk that forgets

    def _path(self, suffix):
        return self.directory / f"{self.name}.{suffix}"

    def start(self):
        """What the emulator needs while it runs."""
        if not self.forgetful:
            return
        for suffix in ("verdict", "stats", "sock"):
            self._path(suffix).unlink(missing_ok=True)
        self.server = spawn(
            ["nbdkit", "--foreground", "--exit-with-parent", "--unix", self._path("sock"), "python",
             HERE / "forgetful_disk.py", f"file={self.file}", f"verdict={self._path('verdict')}",
             f"stats={self._path('stats')}"],
            self.directory, f"{self.name}.log")

    def started(self):
        return not self.forgetful or self._path("sock").exists()

    def stop(self, verdict):
        """The power is gone. Returns the figures of forgetful_disk.py; None: a plain file."""
        if not self.server:
            return None
        self._path("verdict").write_text(json.dumps(verdict))
        self.server.terminate()
        self.server.wait()
        self.server = None
        try:
            return json.loads(self._path("stats").read_text())
        except OSError:
            raise VmError(f"disk {self.name}: the server failed: {self.log()}") from None

    def destroy(self):
        if self.server:
            self.server.kill()
            self.server.wait()
            self.server = None

    def log(self):
        log = self._path("log")
        return log.read_text(errors="replace") if log.exists() else ""

    # --- words for QEMU

    def backend(self):
        # the guest sees a write cache, and its flushes and nothing else reach a server
        protocol = {"driver": "file", "filename": str(self.file)}
        if self.server:
            protocol = {"driver": "nbd", "server": {"type": "unix", "path": str(self._path("sock"))}}
        return {"driver": "raw", "node-name": f"node-{self.name}", "file": protocol,
                "cache": {"direct": False, "no-flush": False}, "discard": "unmap"}

    def device(self):
        device = {"driver": {"virtio": "virtio-blk-pci", "nvme": "nvme", "google": "scsi-hd"}[self.bus],
                  "id": f"disk-{self.name}", "drive": f"node-{self.name}", "serial": self.name}
        if self.bus == "virtio":
            device["physical_block_size"] = 4096
        if self.bus == "google":
            device |= {"bus": "scsi.0", "vendor": "Google", "product": "PersistentDisk",
                       "device_id": self.name}
        return device


class Machine:
    """One machine. Its disks live in DIRECTORY; boot() may follow each power_cut().

    udev: whether udev runs. memory: as QEMU has it. disks: data disks. forgetful: whether the root
    disk has a write cache that a power cut empties; without it the machine is faster. processors: with one it
    needs the fewest processor seconds."""

    def __init__(self, directory, udev=True, memory="512M", disks=(), forgetful=True, processors=2):
        self.directory = directory
        self.image = image_directory()
        self.udev = udev
        self.memory = memory
        self.processors = processors
        self.root = Disk("root", forgetful=forgetful)
        self.disks = {disk.name: disk for disk in disks}
        self.emulator = None
        self.shell = None
        self.buffer = b""
        self.ids = itertools.count()
        for disk in (self.root, *self.disks.values()):
            disk.create(directory)
        run("cp", "--sparse=always", "--reflink=auto", self.image / "root.raw", self.root.file)

    # --- data disks that come, go and grow, whether the machine runs or not

    def unplug(self, name):
        """Pulls a disk out; its content stays. While the machine runs: waits until it has noticed."""
        disk = self.disks[name]
        disk.attached = False
        if not self.emulator:
            return
        gone = lambda event: event.get("data", {}).get("device") == f"disk-{name}"
        self.qmp("device_del", {"id": f"disk-{name}"}, until=("DEVICE_DELETED", gone))
        self.qmp("blockdev-del", {"node-name": f"node-{name}"})
        disk.stop({"mode": "all"})

    def plug(self, disk):
        """Puts a Disk in, a new one or one that was unplugged."""
        if disk.name not in self.disks:
            disk.create(self.directory)
            self.disks[disk.name] = disk
        disk.attached = True
        if not self.emulator:
            return
        self._start_disk(disk)
        self.qmp("blockdev-add", disk.backend())
        self.qmp("device_add", disk.device())

    def resize(self, name, size_bytes):
        """Grows a disk, as a cloud does."""
        disk = self.disks[name]
        if self.emulator and disk.attached:
            self.qmp("block_resize", {"node-name": f"node-{name}", "size": size_bytes})
        else:
            run("truncate", "-s", str(size_bytes), disk.file)

    def _start_disk(self, disk):
        disk.start()
        self._wait(disk.started, 120, f"the server of disk {disk.name}")

    def qmp(self, command, arguments, until=None):
        """One command of the emulator's monitor. UNTIL: (name, predicate) of an event to wait for."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(BOOT_TIMEOUT_SEC)
            s.connect(str(self.directory / "qmp.sock"))
            with s.makefile("rw") as stream:
                json.loads(stream.readline())  # greeting
                for name, args in (("qmp_capabilities", {}), (command, arguments)):
                    stream.write(json.dumps({"execute": name, "arguments": args}) + "\n")
                    stream.flush()
                    result, events = self._qmp_answer(stream, name)
                while until and not any(e["event"] == until[0] and until[1](e) for e in events):
                    events.append(json.loads(stream.readline()))
        return result

    @staticmethod
    def _qmp_answer(stream, command):
        events = []
        while True:
            answer = json.loads(stream.readline())
            if "event" in answer:
                events.append(answer)
            elif "error" in answer:
                raise VmError(f"emulator: {command}: {answer['error']['desc']}")
            else:
                return answer["return"], events

    # --- life and death

    def read(self, name):
        try:
            return (self.directory / name).read_text(errors="replace")
        except OSError:
            return ""

    def _wait(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                logs = "".join(disk.log() for disk in (self.root, *self.disks.values()))
                raise VmError(f"{what}: not within {seconds} s\n{self.read('console.log')[-3000:]}"
                              f"{self.read('emulator.log')}{logs}")
            time.sleep(0.02)

    def _start_emulator(self, options, disks, *more):
        drives = []
        for disk in disks:
            # no JSON for the device: QEMU makes those last, and their order is that of the letters
            device = ",".join(f"{key}={value}" for key, value in disk.device().items())
            drives += ["-blockdev", json.dumps(disk.backend()), "-device", device.removeprefix("driver=")]
        self.emulator = spawn(
            ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg,thread=multi", "-cpu", PROCESSOR,
             "-smp", str(self.processors), "-m", self.memory, "-nodefaults", "-no-user-config", "-display", "none",
             "-kernel", self.image / "vmlinux", "-initrd", self.image / "initrd",
             "-append", f"{KERNEL_OPTIONS} {options}", "-serial", "file:console.log",
             "-device", "virtio-rng-pci", "-rtc", "base=utc,clock=host",
             "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=shell,name=shell",
             "-chardev", "socket,id=shell,path=shell.sock,server=on,wait=off",
             "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
             "-qmp", "unix:qmp.sock,server=on,wait=off", "-device", "virtio-scsi-pci,id=scsi",
             *drives, *more],
            self.directory, "emulator.log")

    def install(self, build, files):
        """Puts the build and FILES on the disk, as a package would, before the first boot."""
        build_agent(build)
        archive = self.directory / "install.tar"
        pack(build, files, archive)
        self._start_emulator("vm.install", [self.root],
                             "-drive", f"if=none,id=tar,format=raw,readonly=on,file={archive}",
                             "-device", "virtio-blk-pci,drive=tar")
        self._wait(lambda: self.emulator.poll() is not None, BOOT_TIMEOUT_SEC, "the installation")
        self.emulator = None
        archive.unlink()
        if "vm: installed" not in self.read("console.log"):
            raise VmError("the installation failed:\n" + self.read("console.log")[-3000:])

    def boot(self):
        """Starts the machine; does not wait for anything in it."""
        attached = [self.root, *(disk for disk in self.disks.values() if disk.attached)]
        for disk in attached:
            self._start_disk(disk)
        for name in ("shell.sock", "qmp.sock"):
            (self.directory / name).unlink(missing_ok=True)
        self._start_emulator(f"rw {'' if self.udev else WITHOUT_UDEV}", attached)
        self.shell = socket.socket(socket.AF_UNIX)
        self._wait(self._connect_shell, 300, "the emulator")
        self.buffer = b""

    def _connect_shell(self):
        """The socket is bound a moment before it listens."""
        try:
            self.shell.connect(str(self.directory / "shell.sock"))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def kill(self):
        """The power is gone from this moment on; power_cut() must follow."""
        self.emulator.kill()

    def power_cut(self, mode="none", seed=0):
        """Ends the machine without warning. MODE says what becomes of writes to forgetful disks that
        were not flushed, see forgetful_disk.py. Returns the root disk's figures."""
        self.emulator.kill()
        self.emulator.wait()
        self.emulator = None
        self.shell.close()
        self.shell = None
        verdict = {"mode": mode, "seed": seed}
        for disk in self.disks.values():
            disk.stop(verdict)
        return self.root.stop(verdict)

    def check_disk(self):
        """Replays the journal of a copy of the disk; raises when that leaves any error."""
        copy = self.directory / "check.raw"
        try:
            run("cp", "--sparse=always", "--reflink=auto", self.root.file, copy)
            done = subprocess.run(["e2fsck", "-p", copy], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True)
            if done.returncode > 1:
                raise VmError(f"file system: {done.stdout}{done.stderr}")
            run("e2fsck", "-f", "-n", copy)
        finally:
            copy.unlink(missing_ok=True)

    def destroy(self):
        if self.emulator:
            self.emulator.kill()
            self.emulator.wait()
            self.emulator = None
        for disk in (self.root, *self.disks.values()):
            disk.destroy()
        if self.shell:
            self.shell.close()

    # --- commands

    def _answer_to(self, wanted, deadline):
        while True:
            while b"\n" in self.buffer:
                line, self.buffer = self.buffer.split(b"\n", 1)
                fields = line.split(b" ")
                if fields[0] == wanted and len(fields) == 3:
                    return int(fields[1]), base64.b64decode(fields[2]).decode(errors="replace")
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.shell.settimeout(left)
            try:
                data = self.shell.recv(65536)
            except TimeoutError:
                return None
            if not data:
                raise VmError("the machine is gone:\n" + self.read("emulator.log"))
            self.buffer += data

    def try_run(self, command, timeout=60):
        """(status, output) of a shell command, or None when no answer comes in time."""
        number = str(next(self.ids)).encode()
        self.shell.settimeout(timeout)
        self.shell.sendall(number + b" " + base64.b64encode(command.encode()) + b"\n")
        return self._answer_to(number, time.monotonic() + timeout)

    def run(self, command, timeout=COMMAND_TIMEOUT_SEC, check=True):
        """Output of a shell command in the machine, as root."""
        answer = self.try_run(command, timeout)
        if answer is None:
            raise VmError(f"no answer to: {command}\n{self.read('console.log')[-3000:]}")
        status, output = answer
        if check and status != 0:
            raise VmError(f"status {status}: {command}\n{output}")
        return output

    def wait_shell(self):
        """Until the machine answers: at the end of a boot. Returns the boot's id."""
        deadline, patience = time.monotonic() + BOOT_TIMEOUT_SEC, 5
        while time.monotonic() < deadline:
            try:
                answer = self.try_run("cat /proc/sys/kernel/random/boot_id", patience)
            except TimeoutError:
                answer = None  # it does not even read: what is asked more often would only wait there
            if answer:
                return answer[1].strip()
            patience = min(2 * patience, 60)
        raise VmError("the machine does not answer:\n" + self.read("console.log")[-3000:])


@contextlib.contextmanager
def machine(**options):
    with scratch_directory() as directory:
        m = Machine(directory, **options)
        try:
            yield m
        finally:
            m.destroy()
