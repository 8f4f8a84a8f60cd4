# SPDX-License-Identifier: Apache-2.0
"""A root directory of its own for dcm-package and a real package manager: the host's programs in an overlay, an empty
package database, and local signed repositories. Nothing in it reaches the host. Needs root."""

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess

from harness import BUILD, DEADLINE, SANITIZER

PROGRAM = BUILD / "src/dcm-package/dcm-package"
EMPTY = ("etc/dcm-agent", "run", "tmp", "srv", "var/log")


class Root:
    """Lives in a mount namespace of its own, which a sleeping process keeps. `empty`: what the host's root has and
    this one has not."""

    def __init__(self, directory, empty, program=PROGRAM):
        self.directory = pathlib.Path(directory)
        self.path = self.directory / "m"
        self.keeper = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "bash", "-euc", SETUP, "setup", directory, *EMPTY, *empty],
            stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        assert self.keeper.stdout.readline() == "ready\n"
        self.root = pathlib.Path(f"/proc/{self.keeper.pid}/root{self.path}")
        shutil.copy(program, self.root / "tmp/dcm-package")
        (self.root / "srv/build").mkdir()

    def argv(self, *command):
        return ["nsenter", "--mount", f"--target={self.keeper.pid}", "chroot", str(self.path), *command]

    def call(self, *command, check=True, **more):
        return subprocess.run(self.argv(*command), capture_output=True, text=True, check=check,
                              stdin=subprocess.DEVNULL, timeout=300, **more)

    def close(self):
        for home in self.root.glob("srv/gnupg-*"):
            self.call("gpgconf", "--homedir", f"/srv/{home.name}", "--kill", "gpg-agent", check=False)
        self.keeper.stdin.close()
        self.keeper.wait()

    def make_key(self, name):
        home = f"/srv/gnupg-{name}"
        (self.root / home[1:]).mkdir(mode=0o700)
        self.call("gpg", "--homedir", home, "--batch", "--passphrase", "", "--quick-generate-key", f"{name}@example",
                  "ed25519", "sign", "never")
        return self.call("gpg", "--homedir", home, "--armor", "--export").stdout

    def start(self, verb, arguments, **more):
        if verb in ("install", "update", "updates"):  # the lists are those of the fixture, unless a test says so
            arguments = {"refresh": False, **arguments}
        p = subprocess.Popen(self.argv("/tmp/dcm-package", verb), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], **SANITIZER, **more})
        p.stdin.write(json.dumps(arguments))
        p.stdin.close()
        p.stdin = None
        return p

    def end(self, process):
        output, error = process.communicate(timeout=300)
        assert "Sanitizer" not in error and "runtime error" not in error, error
        reply = json.loads(output)
        reply["status"], reply["stderr"] = process.returncode, error
        return reply

    def run(self, verb, arguments=None, **more):
        return self.end(self.start(verb, arguments or {}, **more))

    def good(self, verb, arguments=None, **more):
        reply = self.run(verb, arguments, **more)
        assert reply["status"] == 0 and reply["return_code"] == 0, reply
        return reply

    def bad(self, verb, arguments, code, **more):
        reply = self.run(verb, arguments, **more)
        assert reply["status"] in (1, 3) and reply["return_code"] == 1, reply
        assert reply["reply_object"]["code"] == code, reply
        return reply

    def wall_clock(self, seconds):
        """For run() and the like: dcm-package's wall clock is off, that of file systems is not."""
        shutil.copy(BUILD / "tests/component/wall-clock.so", self.root / "tmp")
        (self.root / "tmp/clock").write_bytes(struct.pack("=q", seconds))
        return {"LD_PRELOAD": "/tmp/wall-clock.so", "WALL_CLOCK": "/tmp/clock"}

    def kill_all(self, process):
        """What a power cut does to processes."""
        pids = [process.pid]
        for pid in pids:
            try:
                children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
            except OSError:
                continue
            pids += [int(p) for p in children.split()]
        for pid in reversed(pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.communicate(timeout=DEADLINE)


class AptRoot(Root):
    """With apt and dpkg."""

    def __init__(self, directory, program=PROGRAM):
        super().__init__(directory, ("var/lib/dpkg", "var/lib/apt", "var/cache/apt", "etc/apt"), program)
        for path in ("dpkg/info", "dpkg/updates", "dpkg/triggers", "dpkg/parts", "apt/lists/partial"):
            (self.root / "var/lib" / path).mkdir(parents=True)
        for path in ("var/cache/apt/archives/partial", "var/log/apt", "etc/apt/sources.list.d", "etc/apt/preferences.d",
                     "etc/apt/apt.conf.d", "etc/apt/trusted.gpg.d"):
            (self.root / path).mkdir(parents=True)
        (self.root / "var/lib/dpkg/status").touch()
        (self.root / "etc/apt/apt.conf.d/test").write_text('APT::Sandbox::User "root";\n')
        self.architecture = self.call("dpkg", "--print-architecture").stdout.strip()

    def build(self, repository, name, version, fields="", files=None, **scripts):
        """A package without dependencies, with files and maintainer scripts."""
        tree = self.root / "srv/build" / f"{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Test <test@example>\n"
            f"Description: test\n{fields}")
        files = {f"usr/share/dcm-test/{name}": version, **(files or {})}
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(text if isinstance(text, bytes) else text.encode())
        conffiles = [f"/{path}\n" for path in files if path.startswith("etc/")]
        if conffiles:
            (tree / "DEBIAN/conffiles").write_text("".join(conffiles))
        for script, text in scripts.items():
            (tree / "DEBIAN" / script).write_text(f"#!/bin/sh\n{text}\n")
            (tree / "DEBIAN" / script).chmod(0o755)
        directory = self.root / "srv" / repository
        directory.mkdir(parents=True, exist_ok=True)
        self.call("dpkg-deb", "-Znone", "--root-owner-group", "-b", f"/srv/build/{name}-{version}", f"/srv/{repository}")

    def publish(self, repository, label, key="good"):
        """Lists the packages of a repository and signs the list."""
        directory = self.root / "srv" / repository
        directory.mkdir(exist_ok=True)
        self._publish(f"/srv/{repository}", f"/srv/{repository}", {"": "."}, label, key)

    def publish_suite(self, repository, suite, components, label, key="good"):
        """The same of one that has components, as distributions have: packages were built in REPOSITORY/COMPONENT."""
        lists = {f"{component}/binary-{self.architecture}/": component for component in components}
        self._publish(f"/srv/{repository}", f"/srv/{repository}/dists/{suite}", lists, label, key)

    def _publish(self, top, directory, lists, label, key):
        """`lists`: where a list is below the directory, and of which packages below the top."""
        components = "" if "" in lists else f"Components: {' '.join(lists.values())}\n"
        digests = []
        for place, packages in lists.items():
            (self.root / directory[1:] / place).mkdir(parents=True, exist_ok=True)
            path = f"{directory}/{place}Packages"
            self.call("sh", "-c", f"cd {top} && dpkg-scanpackages -m {packages} >{path}")
            digest = self.call("sha256sum", path).stdout.split()[0]
            digests.append(f" {digest} {(self.root / path[1:]).stat().st_size} {place}Packages\n")
        (self.root / directory[1:] / "Release").write_text(
            f"Origin: {label}\nLabel: {label}\nSuite: {label.lower()}\nArchitectures: all {self.architecture}\n"
            f"{components}Date: Tue, 01 Dec 2026 00:00:00 UTC\nSHA256:\n{''.join(digests)}")
        (self.root / directory[1:] / "InRelease").unlink(missing_ok=True)
        self.call("gpg", "--homedir", f"/srv/gnupg-{key}", "--batch", "--clearsign", "--output", f"{directory}/InRelease",
                  f"{directory}/Release")

    def versions(self):
        text = self.call("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n", check=False).stdout
        return {line.split()[0]: line.split()[1] for line in text.splitlines() if line.split()[2] in ("ii", "hi")}


# At which script of the package "phases" something ends a run, and the version that was installed before: None is an
# installation of 1.0, 1.0 an update to 2.0, 2.0 a removal.
PHASES = {"preinst 1.0 install": None, "postinst 1.0 configure": None, "prerm 1.0 upgrade": "1.0",
          "preinst 2.0 upgrade": "1.0", "postrm 1.0 upgrade": "1.0", "postinst 2.0 configure": "1.0",
          "prerm 2.0 remove": "2.0", "postrm 2.0 remove": "2.0"}


def stop_at(word):
    """The text of a maintainer script that stops where a test wants it: /srv/stop has WORD and its first argument."""
    return (f'[ "$(cat /srv/stop 2>/dev/null)" != "{word} $1" ] || '
            "{ touch /srv/began; cat /srv/pipe >/dev/null; touch /srv/ended; }")


def build_phases(root, repository, version):
    root.build(repository, "phases", version, files={"etc/phases.conf": version},
               **{name: stop_at(f"{name} {version}") for name in ("preinst", "postinst", "prerm", "postrm")})


SETUP = r"""
directory=$1
shift
mkdir "$directory"/{u,w,m}
mount -t tmpfs tmpfs "$directory"
mkdir "$directory"/{u,w,m}
mount -t overlay overlay -o "lowerdir=/,upperdir=$directory/u,workdir=$directory/w" "$directory/m"
mount --rbind /proc "$directory/m/proc"
mount --rbind /dev "$directory/m/dev"
for name; do
    mkdir -p "$directory/m/$name"
    mount -t tmpfs tmpfs "$directory/m/$name"
done
echo ready
read -r || true
"""
