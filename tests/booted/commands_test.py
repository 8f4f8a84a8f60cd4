# SPDX-License-Identifier: Apache-2.0
"""In a booted machine: commands that an administrator adds by files, done by scripts and by a D-Bus
worker, the examples of the documentation among them. They have the arguments, the user, the limits and
the sandbox that their files say; secrets are seen by their job alone; a broken file harms nothing else;
whoever has taken over the agent can order no more than the files and the policy allow."""

import configparser
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import urllib.parse
import uuid

import pytest

from agent_test import HERE, manager, reply_to, run, script_arguments, show, unit_of, wait_begun, wait_for  # noqa: F401
from bus_monitor import bus_in
from harness import HANDSHAKE

EXAMPLES = HERE.parent.parent / "docs/examples"
ETC = pathlib.Path("/etc/dcm-agent")
COMMANDS, SCRIPTS = ETC / "commands.d", ETC / "scripts"
SHIPPED = pathlib.Path("/usr/lib/dcm-agent/scripts")


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Of a test. What was installed stays."""
    directories = COMMANDS, SCRIPTS, SHIPPED
    installed = {path for directory in directories for path in directory.glob("*")}
    yield
    for path in {path for directory in directories for path in directory.glob("*")} - installed:
        path.unlink()
    shutil.rmtree(ETC / "policy.conf.d")
    (ETC / "policy.conf.d").mkdir()


def add(name, definition, script=None, where=SCRIPTS):
    (COMMANDS / f"{name}.conf").write_text(definition)
    if script is not None:
        where.mkdir(exist_ok=True)
        (where / name).write_text(script)
        (where / name).chmod(0o755)


PATTERNS = {"configure_server": "configure_server.*", "unmount_volume": "unmount.*"}  # as their files say


def load(manager):
    """The agent takes the files; where there are other commands than before it connects anew."""
    run("systemctl", "reload", "dcm-agent.service")
    names = [command["name"] for command in json.loads(run("dcm-agentctl", "--json", "commands"))]
    names = [PATTERNS.get(name, name) for name in names]
    wait_for(lambda: manager.offers[-1]["features"]["plugins"] == names, "the manager to be told")
    wait_for(lambda: subprocess.run(["dcm-agentctl", "status"], capture_output=True).returncode == 0,
             "the connection")


def order(manager, command, guid=None, **arguments):
    guid = guid or str(uuid.uuid4())
    manager.request(guid, command, arguments)
    return guid


def do(manager, command, **arguments):
    return reply_to(manager, order(manager, command, **arguments))


def error_of(reply):
    return urllib.parse.unquote(reply["error_message"])


SHOW = "#!/bin/bash\nprintf '<%s>' \"$@\"\n"


def test_arguments_have_their_positions(manager):
    add("positions", "[command]\nhelp = x\n[argument a]\nmandatory = yes\n[argument b]\ntype = boolean\n"
        "[argument c]\ntype = integer\ndefault = 7\n[argument d]\n[argument rest]\ntype = list\n", SHOW)
    load(manager)
    reply = do(manager, "positions", a="-n $HOME '\"\n%s", b="YES", d="", rest=["x y", "*"])
    assert reply["message"] == "<-n $HOME '\"\n%s><true><7><><x y><*>"
    assert do(manager, "positions", a="only")["message"] == "<only><><7><>"
    assert "mandatory argument 'a' is missing" in error_of(do(manager, "positions"))
    assert "'c' is not a valid integer" in error_of(do(manager, "positions", a="1", c="x"))


def test_json_on_standard_input(manager):
    add("asjson", "[command]\nhelp = x\ninput = json\noutput = reply\n[argument n]\ntype = integer\n"
        "[argument ok]\ntype = boolean\ndefault = no\n[argument data]\ntype = base64\nsecret = yes\n"
        "[argument more]\ntype = list\n",
        "#!/usr/bin/python3\nimport json, sys\n"
        "print(json.dumps({'reply_type': 'echo', 'reply_object': json.load(sys.stdin)}))\n")
    load(manager)
    reply = do(manager, "asjson", n="12", data="AAEC", more=["ä", "b"])
    assert (reply["return_code"], reply["reply_type"]) == (0, "echo")
    assert reply["reply_object"] == {"n": 12, "ok": False, "data": "AAEC", "more": ["ä", "b"]}
    add("asjson", "[command]\nhelp = x\ninput = json\noutput = reply\n", "#!/bin/sh\necho no\nexit 3\n")
    load(manager)
    reply = do(manager, "asjson")
    assert reply["return_code"] == 3 and "not a valid reply object" in reply["error_message"]


def test_cloud_and_region_of_the_server(manager):
    """As the manager has said last; no argument of its own can stand for them."""
    add("where", "[command]\nhelp = x\ninput = json\n[argument cloud]\nfrom = cloud\n[argument region]\nfrom = region\n",
        "#!/bin/sh\ncat\n")
    load(manager)
    assert json.loads(do(manager, "where", region="forged")["message"]) == {"cloud": "1", "region": "r1"}
    for cloud, region in ((9, "eu_west"), (None, None)):
        answer = json.loads(json.dumps(HANDSHAKE))
        answer["handshake"].update(cloudId=cloud, regionId=region)
        manager.answers = [json.dumps(answer)]
        n = len(manager.offers)
        manager.close_all()
        manager.wait_offer(n + 1)
        known = {"cloud": str(cloud), "region": region} if cloud else {}
        wait_for(lambda: {k: v for k, v in json.loads(do(manager, "where")["message"]).items() if v} == known,  # noqa: B023
                 f"{known}")


def test_shipped_files_are_what_everybody_is_told(manager):
    """The files of commands.d, dcm-agentctl (and so D-Bus), and shell completion name the same commands with the
    same arguments; the pages are compared by tests/docs."""
    listed = {c["name"]: c for c in json.loads(run("dcm-agentctl", "--json", "commands"))}
    files = sorted(pathlib.Path("/usr/lib/dcm-agent/commands.d").glob("*.conf"))
    assert len(files) >= 5
    for path in files:
        parser = configparser.ConfigParser(interpolation=None)
        parser.optionxform = str
        parser.read(path)
        command = listed[path.stem]
        assert (command["kind"], command["summary"]) == (parser["command"].get("kind", "normal"), parser["command"]["help"])
        assert [(a["name"], a["type"], a["mandatory"], a["secret"], a["help"]) for a in command["arguments"]] == [
            (name.split(" ", 1)[1], s.get("type", "string"), s.getboolean("mandatory", False),
             s.getboolean("secret", False), s.get("help", ""))
            for name, s in parser.items() if name.startswith("argument ") and "from" not in s] + [
                ("dry_run", "boolean", False, False, "say whether it could be done, and do nothing")
            ] * parser["command"].getboolean("dry_run", False)
        assert json.loads(run("dcm-agentctl", "--json", "commands", path.stem)) == [command]
    words = [line.partition("\t")[0] for line in run("dcm-agentctl", "--complete", "commands", "").splitlines()]
    assert words == sorted(listed)
    unknown = subprocess.run(["dcm-agentctl", "commands", "nonsense"], capture_output=True, text=True)
    assert unknown.returncode == 1 and "There is no command nonsense" in unknown.stderr


def test_values_are_checked(manager):
    add("checked", "[command]\nhelp = x\n[argument n]\ntype = integer\nmin = 1\nmax = 5\n"
        "[argument mode]\nchoices = fast slow\n[argument user]\nrule = user_name\n"
        "[argument null]\nmandatory = yes\nnullable = yes\n[argument text]\ntype = base64text\n"
        "[argument o]\ntype = object\n", SHOW)
    load(manager)
    reply = do(manager, "checked", n=5, mode="slow", user="bob", null=None, text="w6Qg", o={"b": [1, None]})
    assert reply["message"] == '<5><slow><bob><><ä ><{"b":[1,null]}>'
    for wrong, text in (({"n": 6}, "'n' is not from 1 to 5"), ({"mode": "x"}, "'mode' is none of: fast, slow"),
                        ({"user": "a b"}, "'user' is not a valid user name"), ({"text": "/w=="}, "not a valid base64text"),
                        ({"o": []}, "not a valid object"), ({"dry_run": True}, "does not support dry_run")):
        assert text in error_of(do(manager, "checked", null=None, **wrong))
    assert "'null' is missing" in error_of(do(manager, "checked"))


def test_secrets_beside_json(manager):
    add("beside", "[command]\nhelp = x\ninput = json\nsecrets = files\noutput = json\nreply_type = seen\n"
        "[argument key]\nsecret = yes\n[argument deep]\ntype = object\n",
        "#!/usr/bin/python3\nimport json, os, pathlib, sys\nd = pathlib.Path(os.environ['CREDENTIALS_DIRECTORY'])\n"
        "print(json.dumps([json.load(sys.stdin), {p.name: p.read_text() for p in d.iterdir()}]))\n")
    load(manager)
    reply = do(manager, "beside", key="s3cret", deep={"a": {"b": [1.50, None, "ä"]}})
    assert (reply["reply_type"], reply["message"]) == ("seen", "")
    assert reply["reply_object"] == [{"deep": {"a": {"b": [1.5, None, "ä"]}}}, {"key": "s3cret"}]


def test_dry_run(manager):
    add("dry", "[command]\nhelp = x\ndry_run = yes\noutput = string\n[effect]\nadd_user = eve\n",
        "#!/bin/sh\necho \"dry=$DCM_DRY_RUN $#\"\n")
    load(manager)
    users = lambda: json.loads(run("dcm-agentctl", "--json", "users"))  # noqa: E731
    before = users()
    reply = do(manager, "dry", dry_run=True)
    assert (reply["reply_type"], reply["reply_object"]) == ("string", "dry=yes 0")
    assert users() == before
    assert do(manager, "dry")["reply_object"] == "dry= 0"
    assert {u["name"] for u in users()} - {u["name"] for u in before} == {"eve"}
    add("dry", "[command]\nhelp = x\n[effect]\nremove_user = eve\n", "#!/bin/sh\n")
    load(manager)
    assert do(manager, "dry")["return_code"] == 0 and users() == before


def test_pattern_of_names_and_features(manager):
    add("detach", "[command]\nhelp = x\nnames = detach.*\npositions = {name} -v {a}\n[argument a]\n"
        "[argument name]\nfrom = command\n[features]\nsnap = true\ndocker = 1.1.2\n", SHOW)
    run("systemctl", "reload", "dcm-agent.service")
    wait_for(lambda: "detach.*" in manager.offers[-1]["features"]["plugins"], "the manager to be told")
    assert "detach" not in manager.offers[-1]["features"]["plugins"]
    assert manager.offers[-1]["features"]["snap"] is True and manager.offers[-1]["features"]["docker"] == "1.1.2"
    wait_for(lambda: subprocess.run(["dcm-agentctl", "status"], capture_output=True).returncode == 0, "the connection")
    assert do(manager, "detach_volume", a="x")["message"] == "<detach_volume><-v><x>"
    assert do(manager, "detach", a="x")["message"] == "<detach><-v><x>"
    (ETC / "policy.conf.d/no.conf").write_text("[policy]\ndeny_commands = detach\n")
    assert "the policy of this machine forbids it" in error_of(do(manager, "detach_all"))
    (ETC / "policy.conf.d/no.conf").write_text("[limits]\ntimeout = 900\n[limits detach]\ntimeout = 800\n")
    (SCRIPTS / "detach").write_text("#!/bin/sh\nexec sleep infinity\n")
    guid = order(manager, "detach_limited")
    wait_begun(guid)
    assert show(unit_of(guid), "RuntimeMaxUSec") == "13min 20s", "the limits of its file's name"
    manager.send(type="CANCEL", request_id=guid)
    reply_to(manager, guid)
    for name in ("detach.x/../y", "detach/x", "detach\n", "detach " + "x", "detach" + "x" * 59, "detac", "Detach"):
        assert "is not known" in manager.wait_message("NACK", order(manager, name))["error_message"], name
    assert [a["name"] for a in json.loads(run("dcm-agentctl", "--json", "commands", "detach"))[0]["arguments"]] == ["a"]


HOOK = "#!/bin/bash\nprintf '%s' \"${0##*/}\" \"<$*>\" \"$(id -un)\" \"${DCM_STATUS-}\"; cat; echo\n"


def hook(name, text, mode=0o755):
    (SCRIPTS / name).write_text(text)
    (SCRIPTS / name).chmod(mode)


def test_hooks_of_the_site(manager):
    """NAME.pre runs before the script NAME and NAME.post after it, as the same user, with the same arguments and
    standard input; they are part of the job, also of a command that is shipped."""
    add("hooked", "[command]\nhelp = x\ninput = json\nscript = hooked\n[argument a]\n",
        "#!/bin/sh\necho script; cat; echo; exit ${1-0}\n")
    hook("hooked.pre", HOOK)
    hook("hooked.post", HOOK)
    load(manager)
    given = '{"a":"x"}'
    assert do(manager, "hooked", a="x")["message"] == f"pre<>dcm{given}\nscript\n{given}\npost<>dcm0{given}\n"
    add("hooked", "[command]\nhelp = x\n[argument a]\n", "#!/bin/sh\necho script\nexit $1\n")
    load(manager)
    reply = do(manager, "hooked", a="3")
    assert (reply["return_code"], reply["message"]) == (3, "pre<3>dcm\nscript\npost<3>dcm3\n")
    hook("hooked.pre", "#!/bin/sh\necho not today >&2\nexit 7\n")
    reply = do(manager, "hooked", a="0")
    assert (reply["return_code"], reply["message"], reply["error_message"]) == (
        7, "", "not today\ndcm-run: the script .pre of this machine, in /etc/dcm-agent/scripts, failed (status 7), "
        "so the command itself did not run.\n")
    (SCRIPTS / "hooked.pre").write_text("")  # none
    hook("hooked.post", "#!/bin/sh\nexit 9\n")
    assert do(manager, "hooked", a="0")["return_code"] == 9
    assert do(manager, "hooked", a="4")["return_code"] == 4
    hook("hooked.post", "#!/nonexistent\n")
    reply = do(manager, "hooked", a="0")
    assert (reply["return_code"], reply["message"]) == (127, "script\n") and "/nonexistent" in reply["error_message"]
    hook("hooked.post", "#!/bin/sh\n", 0o777)
    reply = do(manager, "hooked", a="0")
    assert reply["return_code"] == 1 and "hooked.post cannot be used: group or others" in error_of(reply)
    hook("removeUser", "#!/bin/sh\n")
    hook("removeUser.pre", "#!/bin/sh\necho \"no $1\" >&2\nexit 5\n")
    reply = do(manager, "remove_user", userId="nobody-here")
    assert reply["return_code"] == 5 and reply["error_message"].startswith("no nobody-here\ndcm-run: the script .pre")


def test_hook_that_is_cancelled_is_the_end(manager):
    add("slow", "[command]\nhelp = x\n", "#!/bin/sh\necho script\n")
    hook("slow.pre", "#!/bin/sh\nexec sleep infinity\n")
    hook("slow.post", "#!/bin/sh\necho post\n")
    load(manager)
    guid = order(manager, "slow")
    wait_begun(guid)
    manager.send(type="CANCEL", request_id=guid)
    reply = reply_to(manager, guid)
    assert reply["return_code"] == -15 and reply["message"] == "" and "was cancelled" in reply["error_message"]


def test_script_that_ends_in_order_has_its_time(manager, tmp_path):
    """With finish_time a cancellation reaches the script alone, not its child, and the script may take longer than
    others have. Without the key the child gets the signal, too."""
    told = pathlib.Path("/tmp/dcm-test-told")
    # a sleep that a trap begins may still get the signal, and end
    script = ("#!/bin/bash\nexec 3>>%s 4<> <(:)\n"
              "trap 'echo asked >&3; read -rt 15 <&4; echo in order >&3; exit 3' TERM\n"
              "(trap 'echo child >&3; exit' TERM; sleep infinity & echo begun >&3; wait) &\n"
              "wait; wait\n") % told
    for key, expected in (("finish_time = 60\n", ["asked", "in order"]), ("", ["asked", "child"])):
        told.write_text("")
        add("orderly", f"[command]\nhelp = x\nuser = root\n{key}", script)
        load(manager)
        guid = order(manager, "orderly")
        wait_for(lambda: told.read_text() == "begun\n", "the script and its child")
        assert show(unit_of(guid), "KillMode") == ("mixed" if key else "control-group")
        manager.send(type="CANCEL", request_id=guid)
        reply = reply_to(manager, guid)
        assert "was cancelled" in reply["error_message"]
        assert sorted(told.read_text().split("\n")[1:-1]) == sorted(expected), told.read_text()
    told.unlink()


BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")
OTHER_BOOT = "0123456789abcdef" * 2


@contextlib.contextmanager
def another_boot():
    """What the agent takes for the boot, from its next start on."""
    path = pathlib.Path("/run/dcm-test-boot-id")
    path.write_text(str(uuid.UUID(OTHER_BOOT)) + "\n")
    drop_in = pathlib.Path("/run/systemd/system/dcm-agent.service.d/boot.conf")
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(f"[Service]\nBindReadOnlyPaths=\nBindReadOnlyPaths={path}:{BOOT_ID}\n")
    run("systemctl", "daemon-reload")
    yield
    drop_in.unlink()
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "dcm-agent.service")


def check_rebooted(reply):
    assert reply["return_code"] == 0 and reply["reply_type"] == "server_reboot", reply
    assert reply["reply_object"] == {"former_boot_id": BOOT_ID.read_text().strip().replace("-", ""), "boot_id": OTHER_BOOT}


@pytest.mark.parametrize("script", ["exec sleep infinity", "trap 'exit 0' TERM; sleep infinity & wait"],
                         ids=["ended", "ends"])
def test_job_that_reboots(manager, script):
    """Its end by the shutdown is not the answer: the boot is."""
    add("restarts", "[command]\nhelp = x\nuser = root\nreboots = yes\n", f"#!/bin/bash\n{script}\n")
    load(manager)
    guid = order(manager, "restarts")
    wait_begun(guid)
    run("systemctl", "kill", "--signal=TERM", unit_of(guid))
    wait_for(lambda: show(unit_of(guid), "ActiveState") in ("failed", "inactive"), "the end of the script")
    n = len(manager.offers)
    run("systemctl", "restart", "dcm-agent.service")  # of the same boot
    manager.wait_offer(n + 1)
    reply_to(manager, order(manager, "heartbeat"))
    assert not manager.of_type("REPLY", guid)
    with another_boot():
        run("systemctl", "restart", "dcm-agent.service")
        check_rebooted(reply_to(manager, guid))


def test_job_that_reboots_and_a_power_cut(manager):
    """Nothing is left of it but its claim."""
    add("restarts", "[command]\nhelp = x\nuser = root\nreboots = yes\n", "#!/bin/sh\nexec sleep infinity\n")
    load(manager)
    guid = order(manager, "restarts")
    wait_begun(guid)
    run("systemctl", "stop", "dcm-agent.service")
    run("systemctl", "kill", "--signal=KILL", unit_of(guid))
    wait_for(lambda: show(unit_of(guid), "ActiveState") in ("failed", "inactive"), "the end of the job")
    subprocess.run(["systemctl", "stop", unit_of(guid)], check=False)
    subprocess.run(["systemctl", "reset-failed", unit_of(guid)], check=False)
    with another_boot():
        run("systemctl", "start", "dcm-agent.service")
        check_rebooted(reply_to(manager, guid))


@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "fails"])
def test_job_that_does_not_reboot(manager, cancel):
    add("restarts", "[command]\nhelp = x\nuser = root\nreboots = yes\n",
        f"#!/bin/sh\necho no >&2\n{'exec sleep infinity' if cancel else 'exit 3'}\n")
    load(manager)
    guid = order(manager, "restarts")
    if cancel:
        wait_begun(guid)
        manager.send(type="CANCEL", request_id=guid)
    reply = reply_to(manager, guid)
    assert reply["return_code"] == (-15 if cancel else 3), reply
    assert ("was cancelled" if cancel else "no\n") in reply["error_message"]


@contextlib.contextmanager
def watch_opens(path):
    """Yields a function that tells whether somebody has opened the file since."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_NONBLOCK)
    assert fd >= 0 and libc.inotify_add_watch(fd, os.fsencode(path), 0x20) >= 0  # IN_OPEN

    def was_opened():
        try:
            return bool(os.read(fd, 4096))
        except BlockingIOError:
            return False

    yield was_opened
    os.close(fd)


@pytest.mark.parametrize("cancel", [True, False])
def test_script_does_not_begin_after_a_cancelled_hook(manager, tmp_path, cancel):
    """Also where the hook answers the signal by a success. A script that begins all the same gets the signal as soon as it
    is there; but the kernel has opened its interpreter by then."""
    interpreter = tmp_path / "interpreter"
    shutil.copy2("/bin/sleep", interpreter)
    add("slow", "[command]\nhelp = x\nuser = root\n", f"#!{interpreter} 0\n")
    hook("slow.pre", "#!/bin/bash\ntrap 'exit 0' TERM\necho $$\nwhile :; do read -t 0.1 <> <(:) || :; done\n")
    load(manager)
    with watch_opens(interpreter) as was_opened:
        guid = order(manager, "slow")
        stdout = pathlib.Path("/var/lib/dcm-jobs", guid, "stdout")
        pid = int(wait_for(lambda: stdout.exists() and stdout.read_text(), "the hook"))
        if cancel:
            manager.send(type="CANCEL", request_id=guid)
        else:
            os.kill(pid, signal.SIGTERM)
        reply = reply_to(manager, guid)
        assert was_opened() is not cancel
    if cancel:
        assert reply["return_code"] == -15 and "was cancelled" in reply["error_message"]


def test_environment_of_a_script(manager):
    """What dcm-agent-scripts(7) promises."""
    add("env", "[command]\nhelp = x\ndry_run = yes\n", "#!/bin/bash\nenv -0 | sort -z | tr '\\0' '\\n'\numask\npwd\n"
        "readlink /proc/self/fd/0\nls /proc/self/fd | wc -l\n")
    load(manager)
    guid = order(manager, "env")
    text = reply_to(manager, guid)["message"]
    names = re.findall(r"^(\w+)=", text, re.M)
    assert text.splitlines()[-4:-1] == ["0022", "/var/lib/dcm", "/dev/null"]
    assert f"DCM_REQUEST_ID={guid}\n" in text and "DCM_COMMAND=env\n" in text
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', pathlib.Path("/etc/os-release").read_text(), re.M))
    assert f"DCM_AGENT_PLATFORM_NAME={release['ID']}\n" in text
    assert f"DCM_AGENT_PLATFORM_VERSION={release['VERSION_ID']}\n" in text
    page = (HERE.parent.parent / "docs/man/dcm-agent-scripts.7").read_text().split(".Sh ENVIRONMENT\n")[1]
    known = set(re.findall(r"\bEv (\w+)", " ".join(re.findall(r"^\.It (Ev .*)", page, re.M))))
    assert sorted(set(names) - {"_", "SHLVL", "PWD", "OLDPWD"} - known) == [], "not in the page"
    assert {n for n in known if n.startswith("DCM_")} - set(names) == {"DCM_DRY_RUN"}, "promised by the page"
    assert "DCM_DRY_RUN=yes\n" in do(manager, "env", dry_run=True)["message"]


def test_kind_user_limits_and_sandbox_are_the_files(manager):
    add("bound", "[command]\nhelp = x\nkind = long\nuser = root\n[limits]\ntimeout = 100\ntasks_max = 20\n"
        "[sandbox]\nProtectSystem = strict\nProtectHome = yes\nPrivateTmp = yes\nNoNewPrivileges = yes\n"
        "ReadWritePaths = /srv -/nowhere\nRestrictAddressFamilies = AF_UNIX\nSystemCallFilter = ~@mount\n",
        "#!/bin/bash\nread -r <>/run/dcm-test-bound\n")
    run("mkfifo", "/run/dcm-test-bound")
    load(manager)
    guid = order(manager, "bound")
    number = reply_to(manager, guid)["reply_object"]["job_id"]
    unit = unit_of(guid)
    wait_for(lambda: show(unit, "SubState") == "running", "the unit")
    expected = {"User": "root", "RuntimeMaxUSec": "1min 40s", "TasksMax": "20", "ProtectSystem": "strict",
                "ProtectHome": "yes", "PrivateTmp": "yes", "NoNewPrivileges": "yes",
                "RestrictAddressFamilies": "AF_UNIX", "ReadWritePaths": "/srv -/nowhere"}
    run("systemctl", "daemon-reload")
    assert {name: show(unit, name) for name in expected} == expected
    assert show(unit, "SystemCallFilter").startswith("~") and " mount " in show(unit, "SystemCallFilter")
    (ETC / "policy.conf.d/x.conf").write_text("[limits]\ntimeout = 50\nwritable_paths = /opt\nnetwork = no\n")
    other = order(manager, "bound")
    manager.send(type="CANCEL", request_id=guid)
    reply_to(manager, other)
    wait_for(lambda: show(unit_of(other), "SubState") == "running", "the second unit")
    assert show(unit_of(other), "RuntimeMaxUSec") == "50s", "the policy is tighter"
    assert show(unit_of(other), "ReadWritePaths") == "/opt" and show(unit_of(other), "TasksMax") == "20"
    assert show(unit_of(other), "PrivateNetwork") == "yes"
    manager.send(type="CANCEL", request_id=other)
    wait_for(lambda: "ERROR" in json.dumps(do(manager, "get_job_description", jobId=number)), "its end")
    os.unlink("/run/dcm-test-bound")


def test_scripts_shadow_one_another(manager):
    """/etc before /usr/lib; an empty file or a link to /dev/null masks; `commands` tells."""
    add("shadow", "[command]\nhelp = x\n", "#!/bin/sh\necho shipped\n", SHIPPED)
    load(manager)
    assert do(manager, "shadow")["message"] == "shipped\n"
    assert f"{SHIPPED}/shadow" in run("dcm-agentctl", "commands", "shadow")
    add("shadow", "[command]\nhelp = x\n", "#!/bin/sh\necho mine\n")
    assert do(manager, "shadow")["message"] == "mine\n", "from the next job on"
    assert f"{SCRIPTS}/shadow" in run("dcm-agentctl", "commands", "shadow")
    (SCRIPTS / "shadow").unlink()
    (SCRIPTS / "shadow").symlink_to("/dev/null")
    assert "is masked" in error_of(do(manager, "shadow"))
    assert "is masked" in run("dcm-agentctl", "commands", "shadow")
    (SCRIPTS / "shadow").unlink()
    (SHIPPED / "shadow").chmod(0o777)
    assert "group or others can write it" in error_of(do(manager, "shadow"))
    (SHIPPED / "shadow").unlink()
    assert "there is none" in error_of(do(manager, "shadow"))


def test_broken_files_harm_nothing_else(manager):
    add("good", "[command]\nhelp = x\n", "#!/bin/sh\necho good\n")
    broken = {"heartbeat": "[command]\nhelp = x\n", "bad name": "[command]\nhelp = x\n", "nohelp": "[command]\n",
              "key": "[command]\nhelp = x\nkeys = 1\n", "lists": "[command]\nhelp = x\n[argument l]\ntype = list\n"
              "[argument m]\n", "section": "[command]\nhelp = x\n[sandbox]\nPrivateTmp = perhaps\n",
              "default": "[command]\nhelp = x\n[argument n]\ntype = integer\ndefault = x\n",
              "nul": "[command]\nhelp = x\0\n", "latin": "[command]\nhelp = x\nschl\xfcssel = 1\n"}
    for name, text in broken.items():
        (COMMANDS / f"{name}.conf").write_text(text, "latin-1")
    pathlib.Path(os.fsdecode(bytes(COMMANDS) + b"/\xfc.conf")).write_text("[command]\nhelp = x\n")
    add("theirs", "[command]\nhelp = x\n")
    shutil.chown(COMMANDS / "theirs.conf", "dcm")
    load(manager)
    assert do(manager, "good")["message"] == "good\n"
    done = subprocess.run(["dcm-agentctl", "commands"], capture_output=True, text=True, check=True)
    journal = run("journalctl", "-u", "dcm-agent", "MESSAGE_ID=7d0c3b0de4b94f3c9a9e5a1c2e8f6b14")
    for name in [*broken, "theirs"]:
        assert f"{COMMANDS}/{name}.conf defines no command: " in done.stderr
        assert f"{COMMANDS}/{name}.conf defines no command: " in journal
    assert f"{COMMANDS}/\ufffd.conf defines no command: " in done.stderr
    for name in set(broken) - {"heartbeat"} | {"theirs"}:
        guid = order(manager, name)
        assert "is not known" in manager.wait_message("NACK", guid)["error_message"]
    run("systemctl", "restart", "dcm-agent.service")
    wait_for(lambda: "good" in run("dcm-agentctl", "--json", "commands"), "the agent")


def test_manager_is_told_of_new_commands(manager):
    assert "late" not in manager.wait_offer()["features"]["plugins"]
    add("late", "[command]\nhelp = x\n", "#!/bin/sh\necho late\n")
    load(manager)
    assert "late" in manager.wait_offer(2)["features"]["plugins"]
    assert do(manager, "late")["message"] == "late\n"


def test_definition_that_goes_while_its_job_runs(manager):
    """The job is answered truly, also by an agent that has never known the command."""
    fifo = pathlib.Path("/run/dcm-test-gone")
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    add("gone", "[command]\nhelp = x\n", f"#!/bin/bash\nread -r line <{fifo}\necho \"$line\"\n")
    load(manager)
    guid = order(manager, "gone")
    wait_for(lambda: show(unit_of(guid), "SubState") == "running", "the unit")
    (COMMANDS / "gone.conf").unlink()
    run("systemctl", "restart", "dcm-agent.service")
    fifo.write_text("true\n")
    assert reply_to(manager, guid)["message"] == "true\n"
    fifo.unlink()


CANARY = "canary-Ze9-secret"


def everything_public(unit):
    """What others than the job can see of it."""
    texts = [run("systemctl", "show", unit), run("journalctl", "-o", "json", "--all"),
             run("busctl", "introspect", "--full", "org.freedesktop.systemd1", "/org/freedesktop/systemd1/unit/" +
                 re.sub(r"[^A-Za-z0-9]", lambda m: f"_{ord(m[0]):02x}", unit), check=False),
             run("cat", f"/run/systemd/transient/{unit}", check=False),
             run("dcm-agentctl", "--json", "requests")]
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                texts.append((process / name).read_bytes().decode(errors="replace"))
            except OSError:
                pass
    return texts


@pytest.mark.parametrize("json_input", [False, True, "files"])
def test_secret_is_seen_by_its_job_alone(manager, json_input):
    fifo = pathlib.Path("/run/dcm-test-secret")
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    how = {False: "", True: "input = json\n", "files": "input = json\nsecrets = files\n"}[json_input]
    read = {False: "cat \"$2\"", True: "grep -o 'canary[^\"]*'", "files": "grep -q canary || cat $CREDENTIALS_DIRECTORY/key"}[json_input]
    add("hide", f"[command]\nhelp = x\n{how}[argument a]\n[argument key]\nsecret = yes\nmandatory = yes\n",
        f"#!/bin/bash\nsecret=$({read})\nread -r <{fifo}\n[ \"$secret\" = {CANARY[::-1]} ] || echo ${{#secret}}\n"
        "stat -c '%U %a' \"${2:-/dev/null}\"\ncat /run/credentials/*/key 2>/dev/null | wc -c\n")
    load(manager)
    guid = order(manager, "hide", a="open", key=CANARY)
    unit = unit_of(guid)
    wait_for(lambda: show(unit, "SubState") == "running", "the unit")
    seen = do(manager, "run_script", **script_arguments(
        "#!/bin/bash\ncat /run/credentials/*/* /run/dcm-job-secrets/*/* 2>/dev/null\nls /run/credentials\n"))
    assert CANARY not in json.dumps(seen), "another job of the same user"
    for text in everything_public(unit):
        assert CANARY not in text
    run("systemctl", "restart", "dcm-agent.service")
    fifo.write_text("x\n")
    reply = reply_to(manager, guid)
    assert reply["return_code"] == 0 and reply["message"].startswith(f"{len(CANARY)}\n")
    assert CANARY not in json.dumps(reply)
    wait_for(lambda: not list(pathlib.Path("/run/dcm-job-secrets").glob("*")), "the file to go")
    assert CANARY not in error_of(do(manager, "hide", key=[CANARY]))
    for text in everything_public(unit):
        assert CANARY not in text
    assert not subprocess.run(["grep", "-rlaF", CANARY, "/var/lib/dcm-jobs", "/run/systemd"],
                              capture_output=True).stdout
    fifo.unlink()


def definition(n, head="", keys="secret = yes\n"):
    """A command with so many arguments that reach the script as files."""
    return f"[command]\nhelp = x\n{head}" + "".join(f"[argument a{i}]\n{keys}" for i in range(n))


def test_many_secrets(manager):
    """What is handed over as a file is a descriptor on the bus, which has room for few; JSON is one, whatever it has."""
    add("eight", definition(8), "#!/bin/bash\ncat \"$@\"\n")
    add("alljson", definition(32, "input = json\n"), "#!/bin/bash\ngrep -o 'value[0-9]*' | sort -u | wc -l\n")
    for name, keys in (("nine", "secret = yes\n"), ("ninebytes", "type = base64\n")):
        add(name, definition(9, keys=keys), "#!/bin/sh\n")
    load(manager)
    values = {f"a{i}": f"value{i}" for i in range(32)}
    assert do(manager, "eight", **dict(list(values.items())[:8]))["message"] == "".join(list(values.values())[:8])
    assert do(manager, "alljson", **values)["message"] == "32\n"
    told = subprocess.run(["dcm-agentctl", "commands"], capture_output=True, text=True, check=True).stderr
    for name in ("nine", "ninebytes"):
        assert (f"{COMMANDS}/{name}.conf defines no command: more than 8 arguments that are secret or base64 "
                "need input = json") in told
        assert "is not known" in manager.wait_message("NACK", order(manager, name, a0="x"))["error_message"]


def test_whoever_is_the_agent_is_bound_by_the_files(manager):
    """Straight to the executor, as user dcm-agent: neither script nor user nor more input than the file says."""
    add("fixed", "[command]\nhelp = x\n[argument a]\n", "#!/bin/sh\nid -un\n")
    start = ["runuser", "-u", "dcm-agent", "--", "busctl", "call", "--", "org.dcmagent.Executor1",
             "/org/dcmagent/Executor1", "org.dcmagent.Executor1", "Start", "ssasa{sv}"]

    def refused(*arguments):
        done = subprocess.run([*start, *arguments], capture_output=True, text=True)
        return done.returncode != 0 and done.stderr

    assert "does not take an option script" in refused("u1", "fixed", "0", "1", "as-root", "b", "true")
    assert "does not take an option script" in refused("u2", "fixed", "0", "1", "interpreter", "s", "bash")
    assert "No such command" in refused("u3", "../../tmp/x", "0", "0")
    assert "No such command" in refused("u4", "absent", "0", "0")
    (ETC / "policy.conf.d/x.conf").write_text("[policy]\ndeny_commands = fix*\n")
    assert "deny_commands" in refused("u5", "fixed", "0", "0")
    assert not list(pathlib.Path("/var/lib/dcm-jobs").glob("u[1-5]"))


def install_example(name):
    for directory in ("commands.d", "scripts"):
        for path in (EXAMPLES / directory).glob(f"{name}*"):
            shutil.copy(path, ETC / directory)


def test_example_restart_service(manager):
    install_example("restart_service")
    load(manager)
    before = show("systemd-logind.service", "ExecMainPID")
    reply = do(manager, "restart_service", unit="dbus.socket", wait=1)
    assert reply["return_code"] == 1 or reply["message"] == "active\n"
    reply = do(manager, "restart_service", unit="systemd-logind.service")
    assert reply["message"] == "active\n" and reply["return_code"] == 0, reply
    assert show("systemd-logind.service", "ExecMainPID") != before
    assert "cannot be restarted" in do(manager, "restart_service", unit="absent.service")["error_message"]


def test_example_set_password(manager):
    install_example("set_password")
    load(manager)
    run("useradd", "--create-home", "alice")
    before = run("getent", "shadow", "alice")
    assert do(manager, "set_password", name="alice", password=CANARY) == {
        "return_code": 0, "reply_type": "void", "reply_object": None, "message": "", "error_message": ""}
    assert run("getent", "shadow", "alice") != before
    assert do(manager, "set_password", name="-x", password="y")["return_code"] == 2
    run("userdel", "--remove", "alice", check=False)


@pytest.fixture
def worker():
    places = {"dcm-disk-usage": "/usr/local/libexec", "dcm-disk-usage.service": "/etc/systemd/system",
              "org.example.DiskUsage.service": "/usr/share/dbus-1/system-services",
              "org.example.DiskUsage.conf": "/usr/share/dbus-1/system.d"}
    for name, place in places.items():
        pathlib.Path(place).mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / "worker" / name, place)
    run("systemctl", "daemon-reload")
    run("busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "ReloadConfig")
    yield
    run("systemctl", "stop", "dcm-disk-usage.service")
    for name, place in places.items():
        (pathlib.Path(place) / name).unlink()


def test_example_worker(manager, worker, tmp_path):
    """Activated by the bus; progress, errors, cancellation, a worker that dies, an agent that restarts."""
    install_example("disk_usage")
    load(manager)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_bytes(bytes(1000))
    (tmp_path / "b").mkdir()
    guid = order(manager, "disk_usage", path=str(tmp_path))
    reply = reply_to(manager, guid)
    assert (reply["return_code"], reply["reply_object"]) == (0, {"a": 1000, "b": 0}), reply
    told = [urllib.parse.unquote(m["message"]) for m in manager.of_type("LOG")]
    assert f"The job disk_usage with request_id {guid}: 0 %: a" in told, "its progress"
    assert "No such file" in do(manager, "disk_usage", path="/nowhere")["error_message"]
    assert show("dcm-disk-usage.service", "ActiveState") == "active"
    refused = subprocess.run(["runuser", "-u", "dcm", "--", "busctl", "call", "org.example.DiskUsage",
                              "/org/example/DiskUsage", "org.dcmagent.Worker1", "Cancel", "s", "x"],
                             capture_output=True, text=True)
    assert "denied" in refused.stderr.lower() or "not allowed" in refused.stderr.lower()

    run("systemctl", "kill", "-s", "STOP", "dcm-disk-usage.service")
    heard = tmp_path / "bus"
    with bus_in(heard, "interface='org.dcmagent.Worker1',member='Run'"):
        guid = order(manager, "disk_usage", path="/usr")
        wait_for(lambda: guid.encode() in heard.read_bytes(), "the call that the stopped worker does not answer")
    run("systemctl", "kill", "-s", "KILL", "dcm-agent.service")
    run("systemctl", "kill", "-s", "KILL", "dcm-disk-usage.service")
    reply = reply_to(manager, guid)
    assert reply["return_code"] == 1 and "org.example.DiskUsage failed" in reply["error_message"], reply

    blocked = tmp_path / "slow"
    blocked.mkdir()
    for i in range(20000):
        (blocked / str(i)).mkdir()
    guid = order(manager, "disk_usage", path=str(tmp_path))
    wait_for(lambda: show(unit_of(guid), "SubState") == "running", "the unit")
    manager.send(type="CANCEL", request_id=guid)
    reply = reply_to(manager, guid)
    assert reply["return_code"] != 0 or reply["reply_object"], reply
