# SPDX-License-Identifier: Apache-2.0
"""A root directory as package_root.py's, with a real dnf and rpm, and local signed repositories that rpmbuild and
createrepo_c make."""

import os
import re

from package_root import PROGRAM, Root, stop_at

RELEASE = "1"
MACROS = ("__gpg /usr/bin/gpg", "_topdir /srv/build", "_rpmdir /srv/build/out", "_build_id_links none",
          "__os_install_post %{nil}", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm")


# As PHASES of package_root.py: the script, the version that has it, and how many of the package will be installed; and
# whether a power cut there leaves something to repair: before that, rpm's database has nothing of it.
PHASES = {"pre 1.0 1": (None, False), "post 1.0 1": (None, True), "pre 2.0 2": ("1.0", False), "post 2.0 2": ("1.0", True),
          "preun 1.0 1": ("1.0", True), "postun 1.0 1": ("1.0", True), "preun 2.0 0": ("2.0", True),
          "postun 2.0 0": ("2.0", True)}


def build_phases(root, repository, version):
    root.build(repository, "base", version, "Provides: /bin/sh")
    root.build(repository, "phases", version, files={"etc/phases.conf": version},
               **{name: stop_at(f"{name} {version}") for name in ("pre", "post", "preun", "postun")})


class DnfRoot(Root):
    """It says that it is a Fedora; one package provides what scripts need."""

    def __init__(self, directory, program=PROGRAM):
        super().__init__(directory, ("var/lib/dnf", "var/cache/dnf", "var/lib/rpm", "root", "etc/yum.repos.d"), program)
        for path in ("etc/os-release", "usr/lib/os-release"):
            (self.root / path).unlink(missing_ok=True)
        (self.root / "etc/os-release").write_text('NAME="Test"\nID=fedora\nVERSION_ID=1\n')
        (self.root / "etc/pki").mkdir(exist_ok=True)
        # Debian 12's rpm has it below the home
        self.database = self.root / self.call("rpm", "--eval", "%_dbpath").stdout.strip().lstrip("/")
        (self.root / "etc/dnf/plugins/versionlock.list").write_text("")
        # Debian's dnf takes local packages from a repository that is not there
        (self.root / "etc/dnf/plugins/local.conf").write_text("[main]\nenabled = 0\n")

    def build(self, repository, name, version, fields="", files=None, key="good", release=RELEASE, **scripts):
        """A package with files, fields of the preamble and scripts (post="..."); key None: not signed."""
        files = {f"usr/share/dcm-test/{name}": version, **(files or {})}
        spec = [f"Name: {name}", f"Version: {version}", f"Release: {release}", "Summary: test", "License: none",
                "BuildArch: noarch", "AutoReqProv: no", *fields.splitlines(), "%description", "test", "%install"]
        for path, text in files.items():
            source = self.root / "srv/build" / f"{name}-{version}" / path
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(text)
            spec.append(f"install -D -m 644 /srv/build/{name}-{version}/{path} %{{buildroot}}/{path}")
        for script, text in scripts.items():
            spec += [f"%{script}", text]
        spec += ["%files", *(f"{'%config(noreplace) ' if path.startswith('etc/') else ''}/{path}" for path in files)]
        self._build(repository, spec, key)

    def build_many(self, repository, names, version, key="good"):
        """The same of many packages, from one source: each has one file."""
        spec = [f"Name: {names[0]}-source", f"Version: {version}", f"Release: {RELEASE}", "Summary: test", "License: none",
                "BuildArch: noarch", "AutoReqProv: no", "%description", "test"]
        for name in names:
            spec += [f"%package -n {name}", "Summary: test", "AutoReqProv: no", f"%description -n {name}", "test",
                     f"%files -n {name}", f"/usr/share/dcm-test/{name}"]
        spec += ["%install", "mkdir -p %{buildroot}/usr/share/dcm-test", "cd %{buildroot}/usr/share/dcm-test",
                 f"touch {' '.join(names)}"]
        self._build(repository, spec, key)

    def _build(self, repository, spec, key):
        (self.root / "srv/build/spec").write_text("\n".join(spec) + "\n")
        defines = [word for macro in MACROS for word in ("--define", macro)]
        self.call("rpmbuild", "--quiet", "--nodeps", *defines, "-bb", "/srv/build/spec")
        paths = [f"/srv/build/out/{path.name}" for path in (self.root / "srv/build/out").iterdir()]
        if key:
            self.call("rpmsign", *defines, "--define", f"_gpg_name {key}@example", "--addsign", *paths,
                      env={**os.environ, "GNUPGHOME": f"/srv/gnupg-{key}"})
        (self.root / "srv" / repository).mkdir(exist_ok=True)
        self.call("mv", *paths, f"/srv/{repository}/")

    def publish(self, repository, key="good", updates=""):
        """Lists the packages of a repository and signs the list. `updates`: the text of updateinfo.xml; key None: the
        list is not signed."""
        (self.root / "srv" / repository).mkdir(exist_ok=True)
        self.call("createrepo_c", "--quiet", f"/srv/{repository}")
        if updates:
            (self.root / "srv/updateinfo.xml").write_text(updates)
            self.call("modifyrepo_c", "/srv/updateinfo.xml", f"/srv/{repository}/repodata")
        (self.root / "srv" / repository / "repodata/repomd.xml.asc").unlink(missing_ok=True)
        if key:
            self.call("gpg", "--homedir", f"/srv/gnupg-{key}", "--batch", "--detach-sign", "--armor",
                      f"/srv/{repository}/repodata/repomd.xml")

    def versions(self):
        text = self.call("rpm", "-qa", "--qf", "%{NAME} %{EVR}\n").stdout
        return {name: version for name, version in re.findall(r"(\S+) (\S+)", text) if name != "gpg-pubkey"}
