# SPDX-License-Identifier: Apache-2.0
"""Servers of other projects: each in the foreground, with a directory, a port and a log of its own,
without privileges, and gone when its `with` is left or the tests are killed."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess

from harness import free_port, temporary_directory, wait_for

NOBODY = pwd.getpwnam("nobody")


def own_names(directory, *names):
    """The beginning of a command for which these names are 127.0.0.1, and all others unknown at once."""
    (directory / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in names))
    (directory / "nsswitch").write_text("hosts: files\n")
    script = 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@"'
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", script,
            directory / "hosts", directory / "nsswitch"]


def is_listening(host, port):
    try:
        socket.create_connection((host, port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


class Server:
    """Subclasses write their configuration, and start()."""

    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.directory = temporary_directory()
        self.directory.chmod(0o755)
        self.output = self.directory / "output"
        self.output.touch()
        self.process = None
        if os.geteuid() == 0:
            for path in (self.directory, self.output):
                os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @staticmethod
    def wrapper():
        words = ["setpriv", "--pdeathsig=TERM"]
        if os.geteuid() == 0:
            words += [f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
        return words

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def spawn(self, *command):
        """stdin is a pipe that stays open: some programs end with it."""
        return subprocess.Popen(
            [*self.wrapper(), *map(str, command)], stdin=subprocess.PIPE, stdout=self.output.open("ab"),
            stderr=subprocess.STDOUT, cwd=self.directory, start_new_session=True,
            env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})

    def start(self, ready, *command):
        self.process = self.spawn(*command)
        try:
            wait_for(lambda: self.process.poll() is not None or ready(), f"{command[0]} is ready")
            assert self.process.poll() is None, self.log()
        except BaseException:
            self.stop()
            raise

    def start_listening(self, port, *command):
        self.port = port
        self.start(lambda: is_listening(self.host, port), *command)

    def stop(self):
        self.end(self.process)
        self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    @staticmethod
    def end(process, with_signal=signal.SIGTERM):
        if not process:
            return
        try:
            process.send_signal(with_signal)
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # and what it has started
            except ProcessLookupError:
                pass
            process.wait()
            process.stdin.close()

    def log(self):
        return self.output.read_text(errors="replace")

    def wait_log(self, text, n=1):
        wait_for(lambda: self.log().count(text) >= n, f"{text!r} of {self.process.args}")


class OpensslServer(Server):
    """openssl s_server: prints what it receives."""

    def __init__(self, certificate, *options, host="127.0.0.1"):
        super().__init__(host)
        if certificate.above:
            options = ["-cert_chain", self.write("chain.pem", certificate.above), *options]
        self.start(lambda: "ACCEPT " in self.log(), "openssl", "s_server", "-accept", f"{host}:0",
                   "-cert", certificate.path, "-key", certificate.key_path, *options)
        self.port = int(re.search(r"ACCEPT \S+:(\d+)", self.log()).group(1))

    def heard(self):
        return "GET /" in self.log()


class Greeter(Server):
    """Speaks first, as SSH, SMTP and FTP servers do, and does not understand what it is told."""

    def __init__(self):
        super().__init__()
        script = self.write("greeter", "printf 'SSH-2.0-server\\r\\n'\nhead -c 100 >/dev/null\n")
        self.start(lambda: "listening on" in self.log(), "socat", "-d", "-d",
                   "TCP-LISTEN:0,bind=127.0.0.1,fork", f"EXEC:sh {script}")
        self.port = int(re.search(r"listening on \S+ \S+:(\d+)", self.log()).group(1))


class Front(Server):
    """Stands before a manager, with TLS if it has a certificate."""

    def __init__(self, certificate, host="127.0.0.1", port=None):
        super().__init__(host)
        self.scheme = "wss" if certificate else "ws"
        self.port = port or free_port()
        self.bundle = self.write("bundle.pem", certificate.bundle()) if certificate else None

    def url(self, host="localhost"):
        return f"{self.scheme}://{host}:{self.port}/agentManager"


class Haproxy(Front):
    """haproxy before a manager: TLS with these options of its `bind`, unless there is no certificate.
    Logs one line for each connection, as soon as there is one to the manager."""

    CONFIG = """global
    log stdout format raw local0
    hard-stop-after 1s
    stats socket {directory}/control level admin expose-fd listeners
defaults
    mode {mode}
    option logasap
    retries 0
    log global
    timeout connect 5s
    timeout client {timeout}
    timeout server {timeout}
    timeout tunnel {timeout}
    log-format "[%sslv %sslc] %{{+Q}}o resumed=%[ssl_fc_is_resumed] sni=%[ssl_fc_sni] client=%[{client}]"
listen manager
    bind {host}:{port} {options}
    server manager 127.0.0.1:{upstream}
"""

    def __init__(self, upstream, certificate=None, options="", mode="tcp", timeout="60s",
                 host="127.0.0.1", port=None):
        super().__init__(certificate, host, port)
        self.old = []
        if certificate:
            options = f"ssl crt {self.bundle} {options}"
        self.config = self.write("haproxy.cfg", self.CONFIG.format(
            directory=self.directory, mode=mode, timeout=timeout, host=host, port=self.port,
            options=options, upstream=upstream, client="ssl_c_s_dn(CN)"))
        self.start_listening(self.port, "haproxy", "-db", "-f", self.config)

    def reload(self):
        """As the administrator's `systemctl reload`: a new process takes over from the old one."""
        self.old.append(self.process)
        self.process = self.spawn("haproxy", "-db", "-f", self.config, "-sf", self.process.pid,
                                  "-x", self.directory / "control")

    def stop(self):
        for process in self.old:
            self.end(process)
        super().stop()


class Nginx(Front):
    """nginx before a manager, by HTTP; TLS if there is a certificate. `more` goes into `server`."""

    CONFIG = """daemon off;
pid {directory}/pid;
worker_processes 1;
worker_shutdown_timeout 1s;
error_log stderr notice;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory};
    log_format line '$ssl_protocol reused=$ssl_session_reused sni=$ssl_server_name status=$status';
    access_log {directory}/output line;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{
        listen 127.0.0.1:{port} {tls};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_set_header Host $host;
        {more}
        location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
    }}
}}
"""

    def __init__(self, upstream, certificate=None, more="", port=None):
        super().__init__(certificate, port=port)
        tls = ""
        if certificate:
            tls = "ssl"
            more += f" ssl_certificate {self.bundle}; ssl_certificate_key {self.bundle};"
        config = self.write("nginx.conf", self.CONFIG.format(
            directory=self.directory, port=self.port, tls=tls, more=more, upstream=upstream))
        self.start_listening(self.port, "nginx", "-e", "stderr", "-c", config)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)  # what nginx -s reload does


class Tinyproxy(Server):
    def __init__(self, auth=None):
        super().__init__()
        port = free_port()
        config = self.write("tinyproxy.conf", f"Port {port}\nListen 127.0.0.1\nTimeout 600\n"
                            "LogLevel Connect\nMaxClients 20\n"
                            + (f"BasicAuth {auth.replace(':', ' ', 1)}\n" if auth else ""))
        self.start_listening(port, "tinyproxy", "-d", "-c", config)

    def connects(self):
        """The hosts and ports that it was asked to connect to."""
        return re.findall(r"CONNECT (\S+) HTTP", self.log())


class Squid(Server):
    """squid with four ports: plain and TLS, with and without authentication."""

    PORTS = ("plain", "auth", "tls", "tls_auth")
    CONFIG = """{ports}
acl with_auth localport {auth} {tls_auth}
auth_param basic program {helper} {directory}/passwords
auth_param basic children 1
auth_param basic realm proxy
acl known proxy_auth REQUIRED
acl forbidden dstdomain forbidden.test
http_access deny !CONNECT
http_access deny forbidden
http_access allow with_auth known
http_access deny with_auth
http_access allow all
hosts_file {directory}/hosts
pid_filename none
cache deny all
cache_mem 1 MB
memory_cache_shared off
max_filedescriptors 256
pinger_enable off
netdb_filename none
shutdown_lifetime 0 seconds
visible_hostname localhost
dns_nameservers 127.0.0.1
cache_log {directory}/cache.log
debug_options ALL,1 11,2
access_log none
"""
    HELPERS = ("/usr/lib/squid/basic_ncsa_auth", "/usr/lib64/squid/basic_ncsa_auth")

    def __init__(self, auth, certificate, names=()):
        super().__init__()
        self.ports = {name: free_port() for name in self.PORTS}
        bundle = self.write("bundle.pem", certificate.bundle())
        user, password = auth.split(":", 1)
        crypted = subprocess.run(["openssl", "passwd", "-apr1", "-stdin"], check=True, text=True,
                                 input=password, capture_output=True).stdout
        self.write("passwords", f"{user}:{crypted}")
        self.write("hosts", "".join(f"127.0.0.1 {name}\n" for name in ("localhost", *names)))
        lines = [f"https_port 127.0.0.1:{port} tls-cert={bundle}" if name.startswith("tls")
                 else f"http_port 127.0.0.1:{port}" for name, port in self.ports.items()]
        config = self.write("squid.conf", self.CONFIG.format(
            ports="\n".join(lines), directory=self.directory,
            helper=next(filter(os.path.exists, self.HELPERS), ""), **self.ports))
        self.start(lambda: all(is_listening(self.host, p) for p in self.ports.values()),
                   "squid", "-N", "-f", config)

    def connects(self):
        """Its access log is written when tunnels end; this one, when they begin."""
        log = (self.directory / "cache.log").read_text(errors="replace")
        return re.findall(r"HTTP Client REQUEST:\n-+\nCONNECT (\S+)", log)
