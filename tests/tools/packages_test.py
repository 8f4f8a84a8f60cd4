# SPDX-License-Identifier: Apache-2.0
"""In a machine without dcm-agent: its packages from the first installation to the purge. The tests go on from each other's
state, in this order. Environment: DCM_PACKAGES, deb or rpm; /run/share has the packages, and below `next` later ones."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

SHARE = pathlib.Path("/run/share")
UNITS = ["dcm-agent.service", "dcm-agent.socket", "dcm-cloud.socket", "dcm-metrics.socket", "dcm-manager.service",
         "dcm-manager.socket"]
STATE = pathlib.Path("/var/lib/dcm-agent")
KIND = os.environ["DCM_PACKAGES"]
TRANSLATIONS = ["dcm-agent-l10n"] if KIND == "deb" else []  # the others have them within
DEVELOPMENT = {"deb": "dcm-agent-dev", "rpm": "dcm-agent-devel"}[KIND]
LEFT = {"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/.pwd.lock"}  # with the system users
OTHERS = {"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/usr/lib/systemd/catalog", "/var/lib/systemd"}
DEADLINE = 240


def run(*command, check=True):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0 or not check, done.stdout
    return done.stdout


def wait_for(condition, what):
    end = time.monotonic() + DEADLINE
    while not (value := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return value


def show(unit, name):
    return run("systemctl", "show", "-P", name, unit).strip()


# rpm's database here knows nothing of Debian's packages; the stub provides what ours require
DNF = ["dnf", "-q", "-y", "--releasever=1", "--disablerepo=*", "--setopt=keepcache=0"]


def install(directory, *packages):
    """Or upgrades them, or goes back to the former version."""
    pattern = {"deb": "{}_[0-9]*.deb", "rpm": "{}-[0-9]*.rpm"}[KIND]
    paths = [str(path) for package in packages for path in directory.glob(pattern.format(package))]
    assert len(paths) == len(packages), paths
    if KIND == "deb":
        return run("dpkg", "--install", *paths)
    return run("rpm", "--upgrade", "--oldpackage", *paths)


def remove(*packages):
    return run("dpkg", "--remove", *packages) if KIND == "deb" else run(*DNF, "remove", *packages)


def purge(*packages):
    """Of rpm, which knows no purging: the same by hand, as README.md says."""
    if KIND == "deb":
        return run("dpkg", "--purge", *packages)
    remove(*packages)
    return run("rm", "-rf", "/etc/dcm-agent", "/etc/dcm-manager", "/var/lib/dcm-agent", "/var/lib/dcm-jobs", "/var/lib/dcm",
               "/var/lib/dcm-manager", "/srv/dcm", *map(str, pathlib.Path("/run").glob("dcm-*")))


def snapshot():
    """Paths and, below /etc, contents."""
    found = {}
    for top in ("/etc", "/usr", "/var/lib", "/srv", "/opt"):
        for directory, _, names in os.walk(top):
            if directory.startswith(("/var/lib/dpkg", "/var/lib/rpm", "/var/lib/dnf", "/var/lib/systemd", "/usr/share/licenses")):
                continue
            found[directory] = None
            for name in names:
                path = pathlib.Path(directory, name)
                found[str(path)] = path.read_bytes() if top == "/etc" and path.is_file() else None
    return found


@pytest.fixture(scope="module")
def before():
    return snapshot()


def order(script, *options):
    path = pathlib.Path("/root/script")
    path.write_text(script)
    return run("dcm-manager", "run", *agent_ids(), "run_script", "--script", str(path), *options)


def agent_ids():
    return [agent["id"] for agent in json.loads(run("dcm-manager", "agents", "--json"))]


def test_installing_starts_and_enables_nothing(before):
    install(SHARE, "dcm-agent", *TRANSLATIONS, DEVELOPMENT, "dcm-manager")
    for unit in UNITS:
        assert show(unit, "ActiveState") == "inactive", unit
        assert show(unit, "UnitFileState") in ("disabled", "static"), unit
    for path, owner, mode in (("/etc/dcm-agent/agent.conf.d", "root", 0o755), ("/etc/dcm-agent/scripts", "root", 0o755),
                              ("/var/lib/dcm", "dcm", 0o700), ("/usr/lib/dcm-agent/dcm-run", "root", 0o711)):
        status = pathlib.Path(path).stat()
        assert pathlib.Path(path).owner() == owner and status.st_mode & 0o7777 == mode, path
    assert not STATE.exists()
    assert "dcm-agent" in run("journalctl", "--list-catalog")
    assert "dcm-agent" in run("dcm-agentctl", "--version")


def test_configuring_and_a_job():
    pathlib.Path("/etc/dcm-agent/agent.conf.d/site.conf").write_text(
        "[connection]\nagentmanager_url = ws://localhost:8443/\nbackoff = 20\nmax_backoff = 200\n")
    drop_in = pathlib.Path("/etc/systemd/system/dcm-manager.service.d/test.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nExecStart=\nExecStart=/usr/bin/dcm-manager serve --no-tls --enrolment open\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", "dcm-manager.socket", "dcm-agent.service")
    agent = run("dcm-manager", "wait-agent", "--timeout", str(DEADLINE)).strip()
    assert agent_ids() == [agent]
    assert "hello from dcm\n" in order("#!/bin/sh\necho hello from $(id -un)\n", "--wait")


def test_an_upgrade_restarts_the_agent_and_no_job():
    gate = pathlib.Path("/tmp/gate")
    guid = order(f"#!/bin/sh\necho begun\nuntil [ -e {gate} ]; do sleep 0.1; done\necho ended\n").strip()
    unit = f"dcm-job-{guid}.service"
    wait_for(lambda: show(unit, "ActiveState") == "active", "the job")
    agent, job = show("dcm-agent.service", "MainPID"), show(unit, "MainPID")
    pathlib.Path("/etc/dcm-agent/agent.conf").open("a").write("# of this site\n")
    install(SHARE / "next", "dcm-agent", "dcm-manager")
    assert pathlib.Path("/etc/dcm-agent/agent.conf").read_text().endswith("# of this site\n")
    assert show("dcm-agent.service", "MainPID") not in (agent, "0") and show(unit, "MainPID") == job
    assert show("dcm-agent.service", "UnitFileState") == "enabled"
    gate.touch()
    reply = wait_for(lambda: json.loads(run("dcm-manager", "show", guid, "--json")).get("reply"), "the reply")
    assert reply["return_code"] == 0 and reply["message"] == "begun\nended\n"


def test_an_upgrade_leaves_a_stopped_agent_alone():
    run("systemctl", "stop", "dcm-agent.service")
    install(SHARE, "dcm-agent")
    assert show("dcm-agent.service", "ActiveState") == "inactive"
    assert show("dcm-agent.service", "UnitFileState") == "enabled"
    run("systemctl", "start", "dcm-agent.service")
    run("dcm-manager", "wait-agent", "--timeout", str(DEADLINE))


def test_removing_ends_it_and_keeps_its_state():
    guid = order("#!/bin/sh\nsleep 1000\n").strip()
    wait_for(lambda: show(f"dcm-job-{guid}.service", "ActiveState") == "active", "the job")
    token = (STATE / "token").read_bytes()
    remove("dcm-agent")
    assert not re.findall(r"^(?!dcm-manager)\S+", run("systemctl", "list-units", "--plain", "--no-legend", "--state=active",
                                                     "dcm-*"), re.M)
    assert not list(pathlib.Path("/etc/systemd/system").glob("*.wants/dcm-agent*"))
    assert not run("pgrep", "-u", "dcm-agent,dcm", check=False)
    assert (STATE / "token").read_bytes() == token
    kept = pathlib.Path("/etc/dcm-agent/agent.conf" + {"deb": "", "rpm": ".rpmsave"}[KIND])
    assert kept.read_text().endswith("# of this site\n")


def test_installed_again_it_is_the_same_agent():
    known = agent_ids()
    install(SHARE, "dcm-agent")
    assert show("dcm-agent.service", "UnitFileState") == "disabled" and show("dcm-agent.service", "ActiveState") == "inactive"
    run("systemctl", "start", "dcm-agent.service")
    run("dcm-manager", "wait-agent", "--timeout", str(DEADLINE))
    assert agent_ids() == known


def test_purging_leaves_system_users_alone(before):
    pathlib.Path("/etc/dcm-manager/key.pem").write_text("secret")
    purge("dcm-agent", *TRANSLATIONS, DEVELOPMENT, "dcm-manager")
    drop_in = pathlib.Path("/etc/systemd/system/dcm-manager.service.d")
    (drop_in / "test.conf").unlink()
    drop_in.rmdir()
    after = snapshot()
    differences = {path for path in before.keys() | after.keys()
                   if (path in before) != (path in after) or before.get(path) != after.get(path)}
    assert differences <= LEFT | OTHERS, sorted(differences - LEFT - OTHERS)
    assert not list(pathlib.Path("/run").glob("dcm-*"))


def install_python_agent(directory):
    """A package that has its name, and deletes /dcm when it is replaced."""
    if KIND == "deb":
        tree = directory / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text("Package: dcm-agent\nVersion: 1.2.5\nArchitecture: all\nMaintainer: nobody "
                                             "<n@example.org>\nDescription: stands for the Python agent\n")
        (tree / "DEBIAN/postrm").write_text("#!/bin/sh\nrm -rf /dcm\n")
        (tree / "DEBIAN/postrm").chmod(0o755)
        run("dpkg-deb", "--root-owner-group", "--build", str(tree), str(directory / "old.deb"))
        run("dpkg", "--install", str(directory / "old.deb"))
        return
    spec = directory / "old.spec"
    spec.write_text("Name: dcm-agent\nVersion: 1.2.5\nRelease: 1\nSummary: stands for the Python agent\nLicense: x\n"
                    "BuildArch: noarch\n%description\nx\n%install\nmkdir -p %{buildroot}/opt/dcm-agent\n"
                    "%postun\nrm -rf /dcm\n%files\n/opt/dcm-agent\n")
    run("rpmbuild", "--quiet", "--nodeps", "--define", f"_topdir {directory}", "-bb", str(spec))
    run("rpm", "--install", *map(str, directory.glob("RPMS/*/dcm-agent-*.rpm")))


def test_the_python_agents_package_becomes_ours(tmp_path):
    """It has the same name, and deletes /dcm at the upgrade, too: what migrate needs is saved before, and the agent is ended
    without the clean stop, which would erase its requests."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "booted"))
    import python_agent

    install_python_agent(tmp_path)
    python_agent.write_tree("/dcm")
    agent = subprocess.Popen(["bash", "-c", "exec -a /opt/dcm-agent/embedded/bin/dcm-agent sleep infinity"])
    pathlib.Path("/dcm/dcm-agent.pid").write_text(f"{agent.pid}\n")
    wait_for(lambda: b"dcm-agent" in pathlib.Path(f"/proc/{agent.pid}/cmdline").read_bytes(), "the Python agent")
    said = install(SHARE, "dcm-agent")
    assert agent.wait(DEADLINE) == -signal.SIGKILL
    assert "saved in /var/lib/dcm-former" in said and not pathlib.Path("/dcm").exists()
    said = run("dcm-agentctl", "migrate")
    assert "requests: 9 taken over" in said and "script of this site siteBackup" in said
    assert (STATE / "token").read_text() == python_agent.TOKEN
    purge("dcm-agent")
    run("rm", "-rf", *(f"/var/lib/dcm-{name}" for name in ("former", "migration") if KIND == "rpm"))
    assert not [path for path in pathlib.Path("/var/lib").glob("dcm-*") if path.name != "dcm-manager"]
