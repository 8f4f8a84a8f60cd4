# SPDX-License-Identifier: Apache-2.0
"""Virtual machines with a kernel and disks of their own, emulated by QEMU without KVM.

The root disk is served by nbdkit with forgetful_disk.py: a write cache that a power cut empties.
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
PREFIX = "dcm-vm-"
KERNEL_OPTIONS = (
    "console=ttyS0 loglevel=4 nokaslr mitigations=off apparmor=0 selinux=0 audit=0 "
    "cryptomgr.notests random.trust_cpu=on tsc=reliable no_timer_check raid=noautodetect "
    "net.ifnames=0 panic=-1 systemd.show_status=0"
)
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
            for old in cache.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            log(f"building the image {image} (about a minute)")
            run(HERE / "build-image", image)
    return image


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


class Machine:
    """One machine. Its disk lives in DIRECTORY; boot() may follow each power_cut()."""

    def __init__(self, directory, udev=True):
        self.directory = directory
        self.image = image_directory()
        self.disk = directory / "root.raw"
        self.udev = udev
        self.server = None
        self.emulator = None
        self.shell = None
        self.buffer = b""
        self.ids = itertools.count()
        run("cp", "--sparse=always", "--reflink=auto", self.image / "root.raw", self.disk)

    # --- the root disk

    def _start_server(self):
        for name in ("verdict", "stats", "disk.sock"):
            (self.directory / name).unlink(missing_ok=True)
        self.server = spawn(
            ["nbdkit", "--foreground", "--exit-with-parent", "--unix", "disk.sock", "python",
             HERE / "forgetful_disk.py", f"file={self.disk}",
             f"verdict={self.directory / 'verdict'}", f"stats={self.directory / 'stats'}"],
            self.directory, "nbdkit.log")
        self._wait(lambda: (self.directory / "disk.sock").exists(), 30, "the disk server")

    def _stop_server(self):
        self.server.terminate()
        self.server.wait()
        self.server = None
        try:
            return json.loads((self.directory / "stats").read_text())
        except OSError:
            raise VmError("the disk server failed: " + self.read("nbdkit.log")) from None

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
                raise VmError(f"{what}: not within {seconds} s\n{self.read('console.log')[-3000:]}"
                              f"{self.read('emulator.log')}{self.read('nbdkit.log')}")
            time.sleep(0.02)

    def _start_emulator(self, root_drive, options, *more):
        self.emulator = spawn(
            ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg,thread=multi", "-cpu", "max",
             "-smp", "2", "-m", "512M", "-nodefaults", "-no-user-config", "-display", "none",
             "-kernel", self.image / "vmlinux", "-initrd", self.image / "initrd",
             "-append", f"{KERNEL_OPTIONS} {options}", "-serial", "file:console.log",
             "-device", "virtio-rng-pci", "-rtc", "base=utc,clock=host",
             "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=shell,name=shell",
             "-chardev", "socket,id=shell,path=shell.sock,server=on,wait=off",
             "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
             "-drive", f"if=none,id=root,format=raw,{root_drive}",
             "-device", "virtio-blk-pci,drive=root,serial=root,physical_block_size=4096",
             *more],
            self.directory, "emulator.log")

    def install(self, build, files):
        """Puts the build and FILES on the disk, as a package would, before the first boot."""
        build_agent(build)
        archive = self.directory / "install.tar"
        pack(build, files, archive)
        self._start_emulator(f"file={self.disk},cache=unsafe", "vm.install",
                             "-drive", f"if=none,id=tar,format=raw,readonly=on,file={archive}",
                             "-device", "virtio-blk-pci,drive=tar")
        self._wait(lambda: self.emulator.poll() is not None, BOOT_TIMEOUT_SEC, "the installation")
        self.emulator = None
        archive.unlink()
        if "vm: installed" not in self.read("console.log"):
            raise VmError("the installation failed:\n" + self.read("console.log")[-3000:])

    def boot(self):
        """Starts the machine; does not wait for anything in it."""
        self._start_server()
        (self.directory / "shell.sock").unlink(missing_ok=True)
        options = f"rw {'' if self.udev else WITHOUT_UDEV}"
        # writeback: the guest sees a write cache, and its flushes and nothing else reach the disk
        self._start_emulator(f"file=nbd:unix:{self.directory}/disk.sock,cache=writeback", options)
        self.shell = socket.socket(socket.AF_UNIX)
        self._wait(self._connect_shell, 60, "the emulator")
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
        """Ends the machine without warning. MODE says what becomes of writes that were not flushed,
        see forgetful_disk.py. Returns the disk's figures."""
        self.emulator.kill()
        self.emulator.wait()
        self.emulator = None
        self.shell.close()
        self.shell = None
        (self.directory / "verdict").write_text(json.dumps({"mode": mode, "seed": seed}))
        return self._stop_server()

    def check_disk(self):
        """Replays the journal of a copy of the disk; raises when that leaves any error."""
        copy = self.directory / "check.raw"
        try:
            run("cp", "--sparse=always", "--reflink=auto", self.disk, copy)
            done = subprocess.run(["e2fsck", "-p", copy], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True)
            if done.returncode > 1:
                raise VmError(f"file system: {done.stdout}{done.stderr}")
            run("e2fsck", "-f", "-n", copy)
        finally:
            copy.unlink(missing_ok=True)

    def destroy(self):
        for process in (self.emulator, self.server):
            if process:
                process.kill()
                process.wait()
        self.emulator = self.server = None
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

    def run(self, command, timeout=300, check=True):
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
        deadline = time.monotonic() + BOOT_TIMEOUT_SEC
        while time.monotonic() < deadline:
            answer = self.try_run("cat /proc/sys/kernel/random/boot_id", 5)
            if answer:
                return answer[1].strip()
        raise VmError("the machine does not answer:\n" + self.read("console.log")[-3000:])


@contextlib.contextmanager
def machine(**options):
    with scratch_directory() as directory:
        m = Machine(directory, **options)
        try:
            yield m
        finally:
            m.destroy()
