# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: a git repository behind servers that this project did not write: sshd, and nginx with git's
git-http-backend. Both are on 127.0.0.1, and give it only to those who may have it. While a client waits for its answer,
they look whether a secret of it is in an argument or in the environment of any process."""

import pathlib
import shutil
import subprocess

from certificates import Certificate
from object_servers import Server, free_port, wait_until

DIRECTORY = pathlib.Path("/srv/git")
LOOK = """#!/bin/sh
cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | grep -acF -f {directory}/secrets >>{directory}/found
exec {command}
"""


def git(where, *words):
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-C", where, *words], check=True,
                   capture_output=True, stdin=subprocess.DEVNULL)


class Repository:
    def __init__(self):
        DIRECTORY.mkdir()
        self.path = DIRECTORY / "site.git"
        self.tree = DIRECTORY / "tree"
        self.tree.mkdir()
        git(self.tree, "init", "--quiet", "--initial-branch=main")
        git(DIRECTORY, "init", "--quiet", "--bare", "--initial-branch=main", self.path)

    def commit(self, branch="main", **files):
        """The names of files without .yml, and their texts."""
        git(self.tree, "checkout", "--quiet", "-B", branch)
        for name, text in files.items():
            (self.tree / f"{name}.yml").write_text(text)
        git(self.tree, "add", ".")
        git(self.tree, "commit", "--quiet", "--allow-empty", "-m", "x")
        git(self.tree, "push", "--quiet", self.path, branch)

    def remove(self):
        shutil.rmtree(DIRECTORY)


class Looking(Server):
    def look_for(self, secret, name, command):
        """A program that looks, and becomes the command."""
        (self.directory / "secrets").write_text(f"{secret}\n")
        (self.directory / "found").unlink(missing_ok=True)
        path = self.directory / name
        path.write_text(LOOK.format(directory=self.directory, command=command))
        path.chmod(0o755)
        return path

    def found(self):
        """How often a secret was seen, of each look."""
        path = self.directory / "found"
        return [int(line) for line in path.read_text().split()] if path.exists() else []


class Ssh(Looking):
    """Lets in whoever has the key."""

    def __init__(self):
        super().__init__("git-ssh")
        self.port = free_port()
        for name in ("host", "user", "other"):
            (self.directory / name).unlink(missing_ok=True)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.directory / name], check=True)
        self.key, self.other_key = (self.directory / "user").read_text(), (self.directory / "other").read_text()
        self.secret = self.key.splitlines()[2]
        look = self.look_for(self.secret, "look", 'sh -c "$SSH_ORIGINAL_COMMAND"')
        (self.directory / "keys").write_text(f'restrict,command="{look}" {(self.directory / "user.pub").read_text()}')
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.spawn("/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-o", "ListenAddress=127.0.0.1", "-o", f"Port={self.port}",
                   "-o", f"HostKey={self.directory}/host", "-o", f"AuthorizedKeysFile={self.directory}/keys", "-o",
                   "UsePAM=no", "-o", "StrictModes=no", "-o", "PasswordAuthentication=no", "-o", "PidFile=none")
        self.wait_port(self.port)

    def known_hosts(self, key="host"):
        """Says that the server has this key."""
        return f"[127.0.0.1]:{self.port} {(self.directory / f'{key}.pub').read_text()}"

    def url(self, path):
        return f"ssh://root@127.0.0.1:{self.port}{path}"


CONFIG = """daemon off;
user root;
pid {directory}/pid;
worker_processes 1;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory};
    log_format told 'told $http_authorization';
    access_log off;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    server {{
        listen 127.0.0.1:{port} ssl;
        auth_basic git;
        auth_basic_user_file {directory}/users;
        location / {{
            fastcgi_pass unix:{directory}/fcgi;
            fastcgi_param SCRIPT_FILENAME {program};
            fastcgi_param GIT_PROJECT_ROOT {root};
            fastcgi_param GIT_HTTP_EXPORT_ALL "";
            fastcgi_param PATH_INFO $uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param REMOTE_USER $remote_user;
            fastcgi_param HTTP_AUTHORIZATION "";
        }}
    }}
    server {{ # somebody else's, who wants to know everything
        listen 127.0.0.1:{elsewhere} ssl;
        access_log {directory}/elsewhere.log told;
        location / {{
            auth_basic x;
            auth_basic_user_file {directory}/nobody;
        }}
    }}
    server {{ # which sends everybody there
        listen 127.0.0.1:{redirecting} ssl;
        return 301 https://127.0.0.1:{elsewhere}$request_uri;
    }}
    server {{ # and one to where anybody on the way can read and change
        listen 127.0.0.1:{downgrading} ssl;
        return 301 http://127.0.0.1:{plain}$request_uri;
    }}
    server {{
        listen 127.0.0.1:{plain};
        access_log {directory}/plain.log told;
        return 403;
    }}
}}
"""


class Https(Looking):
    """Wants a token; its certificate is of an authority that git does not trust unless `trust` was called."""

    NAMES = ("port", "elsewhere", "redirecting", "downgrading", "plain")

    def __init__(self, token):
        super().__init__("git-https")
        authority = Certificate(self.directory, "authority", authority=True)
        server = Certificate(self.directory, "server", authority, names=["127.0.0.1"])
        self.authority = authority.path
        self.ports = {name: free_port() for name in self.NAMES}
        (self.directory / "users").write_text(f"token:{{PLAIN}}{token}\n")
        (self.directory / "nobody").touch()
        program = self.look_for(token, "look", "/usr/lib/git-core/git-http-backend")
        config = self.directory / "nginx.conf"
        config.write_text(CONFIG.format(directory=self.directory, root=DIRECTORY, program=program, certificate=server.path,
                                        key=server.key_path, **self.ports))
        (self.directory / "fcgi").unlink(missing_ok=True)
        self.spawn("fcgiwrap", "-s", f"unix:{self.directory}/fcgi")
        wait_until((self.directory / "fcgi").is_socket, "fcgiwrap")
        self.spawn("nginx", "-e", "stderr", "-c", config)
        self.wait_port(self.ports["port"])

    def trust(self):
        """As an administrator does it, who also has git keep passwords."""
        pathlib.Path("/etc/gitconfig").write_text(f"[http]\n\tsslCAInfo = {self.authority}\n[credential]\n\thelper = store\n")

    def distrust(self):
        pathlib.Path("/etc/gitconfig").unlink()

    def url(self, path, server="port"):
        return f"https://127.0.0.1:{self.ports[server]}{path}"

    def log(self, name):
        return (self.directory / f"{name}.log").read_text()
