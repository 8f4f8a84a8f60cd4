# SPDX-License-Identifier: Apache-2.0
"""A root directory of its own for dcm-package and a real package manager: the host's programs in an overlay, an empty
package database, and local signed repositories. Nothing in it reaches the host. Needs root."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

from harness import BUILD, DEADLINE, SANITIZER

PROGRAM = BUILD / "src/dcm-package/dcm-package"
EMPTY = ("etc/dcm-agent", "run", "tmp", "srv", "var/log")


class Root:
    """Lives in a mount namespace of its own, which a sleeping process keeps. `empty`: what the host's root has and
    this one has not."""

    def __init__(self, directory, empty):
        self.directory = pathlib.Path(directory)
        self.path = self.directory / "m"
        self.keeper = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "bash", "-euc", SETUP, "setup", directory, *EMPTY, *empty],
            stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        assert self.keeper.stdout.readline() == "ready\n"
        self.root = pathlib.Path(f"/proc/{self.keeper.pid}/root{self.path}")
        shutil.copy(PROGRAM, self.root / "tmp/dcm-package")
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

    def __init__(self, directory):
        super().__init__(directory, ("var/lib/dpkg", "var/lib/apt", "var/cache/apt", "etc/apt"))
        for path in ("dpkg/info", "dpkg/updates", "dpkg/triggers", "dpkg/parts", "apt/lists/partial"):
            (self.root / "var/lib" / path).mkdir(parents=True)
        for path in ("var/cache/apt/archives/partial", "var/log/apt", "etc/apt/sources.list.d", "etc/apt/preferences.d",
                     "etc/apt/apt.conf.d", "etc/apt/trusted.gpg.d"):
            (self.root / path).mkdir(parents=True)
        (self.root / "var/lib/dpkg/status").touch()
        (self.root / "etc/apt/apt.conf.d/test").write_text('APT::Sandbox::User "root";\n')

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
        directory.mkdir(exist_ok=True)
        self.call("dpkg-deb", "-Znone", "--root-owner-group", "-b", f"/srv/build/{name}-{version}", f"/srv/{repository}")

    def publish(self, repository, label, key="good"):
        """Lists the packages of a repository and signs the list."""
        directory = self.root / "srv" / repository
        directory.mkdir(exist_ok=True)
        packages = self.call("sh", "-c", f"cd /srv/{repository} && dpkg-scanpackages -m .").stdout
        (directory / "Packages").write_text(packages)
        digest = self.call("sha256sum", f"/srv/{repository}/Packages").stdout.split()[0]
        size = (directory / "Packages").stat().st_size
        (directory / "Release").write_text(
            f"Origin: {label}\nLabel: {label}\nSuite: {label.lower()}\nArchitectures: all amd64\n"
            f"Date: Tue, 01 Dec 2026 00:00:00 UTC\nSHA256:\n {digest} {size} Packages\n")
        (directory / "InRelease").unlink(missing_ok=True)
        self.call("gpg", "--homedir", f"/srv/gnupg-{key}", "--batch", "--clearsign", "--output",
                  f"/srv/{repository}/InRelease", f"/srv/{repository}/Release")

    def versions(self):
        text = self.call("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n", check=False).stdout
        return {line.split()[0]: line.split()[1] for line in text.splitlines() if line.split()[2] in ("ii", "hi")}


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
