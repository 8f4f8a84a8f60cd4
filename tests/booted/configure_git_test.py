# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: configure_server with a real Ansible, and its playbooks in git repositories behind a real sshd and a
real nginx. Key and token are seen nowhere, and reach nobody but the server of the request.
Environment: DCM_FAULTS, full (everything) or a sample."""

import json
import os

import pytest

from agent_test import manager, run  # noqa: F401
from configure_test import CHANGE, HERE, WRITE, b64, clean, configure, console, files_with, notes, storage, task  # noqa: F401
from git_servers import Https, Repository, Ssh
from services_test import error_of  # noqa: F401

TOKEN = "canary-token-93b2"
everything = pytest.mark.skipif(os.environ.get("DCM_FAULTS") != "full", reason="takes long: set DCM_FAULTS=full")


@pytest.fixture
def repository():
    repository = Repository()
    repository.commit(local=CHANGE + WRITE.replace("{{ who }}", "main"))
    repository.commit("other", site=CHANGE + WRITE.replace("{{ who }}", "other"))
    yield repository
    repository.remove()


@pytest.fixture
def ssh(repository):
    server = Ssh()
    yield server
    server.stop()


@pytest.fixture
def https(repository):
    server = Https(TOKEN)
    server.trust()
    yield server
    server.distrust()
    server.stop()


@pytest.fixture
def secrets(manager):
    """Those in the list are nowhere afterwards: not in a message, the journal, or a file."""
    marker = HERE / "marker"
    marker.touch()
    words = []
    yield words
    run("journalctl", "--sync")
    seen = json.dumps(manager.received) + run("journalctl", "-o", "export", "--no-pager")
    files = files_with(words, marker)
    assert not files and not [word for word in words if word in seen]


def ansible(manager, **arguments):
    """The reply, with all that was said."""
    reply = configure(manager, "ANSIBLE", **arguments)
    return reply, reply["message"] + json.dumps(console(manager))


def by_ssh(ssh, path="/srv/git/site.git", **more):
    return {"repository": ssh.url(path), "repositoryKey": b64(ssh.key), "knownHosts": b64(ssh.known_hosts()), **more}


def by_https(https, server="port", token=TOKEN, **more):
    return {"repository": https.url("/site.git", server), "repositoryToken": b64(token), **more}


def figures(reply):
    return (reply["return_code"], reply["reply_object"]["changed"], reply["reply_object"]["failed"])


def test_by_ssh(manager, ssh, secrets):
    secrets.append(ssh.secret)
    reply, _ = ansible(manager, **by_ssh(ssh))
    assert figures(reply) == (0, 1, 0) and notes("motd") == "hello main", reply
    assert ssh.found() and not any(ssh.found())


def test_by_https(manager, https, secrets):
    secrets.append(TOKEN)
    reply, _ = ansible(manager, **by_https(https, branch="other", playbook="site.yml"))
    assert figures(reply) == (0, 1, 0) and notes("motd") == "hello other", reply
    assert https.found() and not any(https.found())


@everything
def test_runs_after_the_first(manager, repository, ssh):
    """One changes nothing; one takes what is new in the repository, but not in a dry run; one whose task fails says so."""
    assert figures(ansible(manager, **by_ssh(ssh))[0]) == (0, 1, 0)
    assert figures(ansible(manager, **by_ssh(ssh))[0]) == (0, 0, 0)
    repository.commit(local=CHANGE + WRITE.replace("{{ who }}", "again"))
    reply, _ = ansible(manager, **by_ssh(ssh), dry_run=True)
    assert figures(reply) == (0, 1, 0) and reply["reply_object"]["dry_run"] and notes("motd") == "hello main", reply
    assert figures(ansible(manager, **by_ssh(ssh))[0]) == (0, 1, 0) and notes("motd") == "hello again"
    repository.commit(local=CHANGE + task("ansible.builtin.command: /bin/false") + WRITE)
    reply, said = ansible(manager, **by_ssh(ssh))
    assert figures(reply) == (2, 0, 1) and "FAILED" in said and notes("motd") == "hello again", reply
    assert "non-zero return code" in reply["message"], reply


@everything
def test_whom_the_servers_refuse(manager, ssh, https, secrets):
    secrets += [ssh.other_key.splitlines()[2], "canary-wrong"]
    wrong = [(by_ssh(ssh, repositoryKey=b64(ssh.other_key)), "Permission denied"),
             (by_ssh(ssh, branch="nothing"), "nothing"),
             (by_ssh(ssh, path="/srv/git/nothing"), "nothing"),
             (by_https(https, token="canary-wrong"), "Authentication failed")]
    for arguments, word in wrong:
        reply, said = ansible(manager, **arguments)
        assert reply["return_code"] != 0 and not reply["reply_object"] and word in said, (reply, said)
        assert word in reply["message"], reply
    assert not (HERE / "motd").exists()


@everything
def test_whom_the_server_of_the_request_is_not(manager, ssh, https, secrets):
    """Neither key nor token reach a server that is not known; a token reaches no other server either."""
    secrets += [ssh.secret, TOKEN]
    for known in ({"knownHosts": b64(ssh.known_hosts("other"))}, {"knownHosts": None}):
        reply, said = ansible(manager, **by_ssh(ssh, **known))
        assert reply["return_code"] != 0 and "Host key verification failed" in said, reply
    for server in ("redirecting", "downgrading"):
        reply, said = ansible(manager, **by_https(https, server))
        assert reply["return_code"] != 0, reply
    assert set(https.log("elsewhere").splitlines()) == {"told -"} and not https.log("plain")
    https.distrust()
    reply, said = ansible(manager, **by_https(https))
    https.trust()
    assert reply["return_code"] != 0 and "certificate" in said, reply
    assert not (HERE / "motd").exists() and not ssh.found() and not https.found()
