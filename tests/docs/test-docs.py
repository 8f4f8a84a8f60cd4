# SPDX-License-Identifier: Apache-2.0
"""Compares the documentation with the source: commands and arguments, configuration keys with type,
default and bounds, policy, sandbox, alert rules, options, exit statuses, message ids, metrics, files and units of
jobs, the database, bounds; pages that units name, links, the tests that the map names, and mandoc's lint.

Arguments: the program that prints the tables; programs whose --help is compared with their man page."""

import configparser
import functools
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MAN = ROOT / "docs/man"
PAGES = sorted(MAN.glob("*.[1-9]"))
MARKDOWN = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def read(path):
    return (ROOT / path).read_text()


def page(name):
    return next(p for p in PAGES if p.stem == name).read_text()


def command_files():
    """(name, summary, arguments that the manager gives) of each shipped file of commands.d"""
    for path in sorted(ROOT.glob("scripts/commands.d/*.conf")):
        parser = configparser.ConfigParser(strict=True, interpolation=None)
        parser.optionxform = str
        parser.read(path)
        arguments = {name.split(" ", 1)[1]: section for name, section in parser.items()
                     if name.startswith("argument ") and "from" not in section}
        if parser["command"].getboolean("dry_run", False):
            arguments["dry_run"] = {"type": "boolean"}
        yield path.stem, parser["command"]["help"], arguments


def check_command_files():
    """Each shipped file of commands.d is a section of its page, with a row for each argument that says its
    type and meaning, and no other rows; and it is installed."""
    text, build = page("dcm-agent-commands"), read("scripts/meson.build")
    files = list(command_files())
    assert len(files) >= 5
    for name, _, arguments in files:
        if f"'commands.d/{name}.conf'" not in build:
            yield f"scripts/meson.build does not install {name}.conf"
        if f".Sh {name}\n" not in text:
            yield f"the command {name} has no section"
            continue
        body = text.split(f".Sh {name}\n")[1].split("\n.Sh ")[0]
        rows = re.findall(r"^\.It Li (\w+) Ta (\w+) Ta (mandatory|optional) Ta (.+)$", body, re.M)
        if [row[0] for row in rows] != list(arguments):
            yield f"the arguments of {name} are others than in its file: {', '.join(arguments)}"
        for argument, kind, mandatory, _ in rows:
            section = arguments.get(argument, {})
            expected = section.get("type", "string"), "mandatory" if section.get("mandatory") == "yes" else "optional"
            if (kind, mandatory) != expected:
                yield f"{name}: {argument} is {kind}, {mandatory}, in its file {', '.join(expected)}"


def check_keys_of_command_files():
    """Every key that a file of commands.d can have is in its page."""
    source, text = read("src/site/command-reader.c"), page("dcm-agent-commands.d")
    keys = re.findall(r'\{"(\w+)", set_\w+\}', source) + re.findall(r'streq\(name, "(\w+)"\)', source)
    assert len(keys) > 25
    for key in keys:
        if not re.search(rf"^\.It Cm ([\w ,]+, )?{key}\b", text, re.M):
            yield f"dcm-agent-commands.d(5): the key {key} is missing"


def number(value):
    return str(int(value)) if value.is_integer() else str(value)


@functools.cache
def tables():
    """What the programs work by, as tests/docs/tables.c prints it."""
    done = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def check_commands():
    """Every command of the table is a section, every argument a row in it with its type."""
    text = page("dcm-agent-commands")
    assert len(tables()["commands"]) > 8
    for command in tables()["commands"]:
        name = command["name"]
        if f".Sh {name}\n" not in text:
            yield f"the command {name} has no section"
            continue
        section = text.split(f".Sh {name}\n")[1].split("\n.Sh ")[0]
        for argument in command["arguments"]:
            mandatory = "mandatory" if argument["mandatory"] else "optional"
            row = f".It Li {argument['name']} Ta {argument['type']} Ta {mandatory} Ta "
            if row not in section:
                yield f"{name}: there is no line that begins {row!r}"


def check_statistics():
    """Every type of statistic is in dcm-agent-health(7) with its reply type, keys, units and rows."""
    types, text = tables()["statistics"], page("dcm-agent-health").split(".Sh TYPES")[1]
    assert len(types) >= 18
    documented = dict(re.findall(r"\n\.Ss ([\w-]+)\n(.*?)(?=\n\.S[sh] )", text, re.S))
    for name in sorted(documented.keys() ^ {t["name"] for t in types}):
        yield f"dcm-agent-health(7) and src/health/stat-type.c differ in the type {name}"
    for kind in types:
        name, reply_type, rows = kind["name"], kind["reply_type"], kind["rows"]
        body = documented.get(name, "")
        if f".Li {reply_type} ." not in body:
            yield f"dcm-agent-health(7): {name} has no reply type {reply_type}"
        if re.findall(r"^\.It Li (\S+) Ta (\S+) Ta ", body, re.M) != [tuple(f) for f in kind["fields"]]:
            yield f"dcm-agent-health(7): the keys or units of {name} are others"
        if rows and f"Rows:\n.Li {rows} ." not in body:
            yield f"dcm-agent-health(7): {name} has no rows {rows}"


def check_configuration():
    """Every key is in agent.conf(5) with type, default and bounds, and in units/agent.conf."""
    text, sample = page("agent.conf"), read("units/agent.conf")
    for key in tables()["keys"]:
        section, name, default = key["section"], key["name"], key["default"]
        facts = f"{key['type']}, {default or 'not set'}"
        if key["min"] or key["max"]:
            facts += f"; {number(key['min'])} to {number(key['max'])}"
        row = f".It Cm {name} Pq {facts}".replace(" -1", r" \-1") + "\n"
        body = text.split(f".Sh {section.upper()}\n")[1].split("\n.Sh ")[0]
        if row not in body:
            yield f"agent.conf(5): {section.upper()} has no line {row!r}"
        body = sample.split(f"[{section}]\n")[1].split("\n[")[0]
        if not re.search(rf"^#{name} =" + (f" {re.escape(default)}$" if default else ""), body, re.M):
            yield f"units/agent.conf: [{section}] has no line '#{name} = {default}'"
    if "[features]" not in sample or ".Sh FEATURES" not in text:
        yield "[features] is missing"


def ask(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL).stdout


# Verbs that are programs of their own: which one, or None, where it is another one of C.
OTHERS = {"doctor": None, "config": None, "configure": None, "migrate": None, "scrub": None, "upgrade": "scripts/upgrade-agent"}


def help_of(program, verb):
    if verb not in OTHERS:
        return ask(program, verb, "--help")
    return ask(ROOT / OTHERS[verb], "--help") if OTHERS[verb] else ""


def verbs_of(program):
    """Their names as --help lists them; none, if it has none."""
    part = ask(program, "--help").partition("\nVerbs:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  ([\w-]+)", part, re.M)


def check_options():
    """Every verb and option that --help prints is in the program's page, and the page names no other verb."""
    for program in sys.argv[2:]:
        name, text = pathlib.Path(program).name, ask(program, "--help")
        verbs = verbs_of(program)
        for verb in verbs:
            text += help_of(program, verb)
        options = re.findall(r"(?<=[\s,])-(-?[a-zA-Z][\w-]*)", text)
        assert options
        for option in sorted(set(options)):
            if not re.search(rf"\bFl (\\?-)?{re.escape(option.lstrip('-'))}\b", page(name)):
                yield f"{name}: -{option} is not in its page"
        described = page(name).split(".Sh DESCRIPTION")[1].split("The options")[0] if verbs else ""
        listed = re.findall(r"^\.It Cm ([\w-]+)", described, re.M)
        for verb in sorted(set(verbs) ^ set(listed)):
            yield f"{name}: the verb {verb} is {'not in its page' if verb in verbs else 'none of its own'}"


def check_scripts():
    """The options of scripts that are verbs are in their pages, and their help fits into 80 columns."""
    for script, name in (("configure", "dcm-agent-configure"), ("migrate", "dcm-agentctl")):
        text = read(f"scripts/{script}").split("<<'END'\n")[1].split("\nEND\n")[0]
        options = re.findall(r"(?<=[\s,])-(-?[a-zA-Z][\w-]*)", text)
        assert options
        for option in sorted(set(options)):
            if not re.search(rf"\bFl (\\?-)?{re.escape(option.lstrip('-'))}\b", page(name)):
                yield f"{script}: -{option} is not in {name}"
        for line in text.splitlines():
            if len(line) > 80:
                yield f"{script}: a line of help has {len(line)} columns: {line}"


def check_help():
    """Help fits into 80 columns."""
    for program in sys.argv[2:]:
        for text in (ask(program, "--help"), *(help_of(program, verb) for verb in verbs_of(program))):
            for line in text.splitlines():
                if len(line) > 80:
                    yield f"{pathlib.Path(program).name}: a line of help has {len(line)} columns: {line}"


def check_message_ids():
    """log-fields.h, the catalog and dcm-agentd(8) have the same ids, and the page all fields."""
    header, text = read("src/basic/log-fields.h"), page("dcm-agentd")
    ids = re.findall(r'"([0-9a-f]{32})"', header)
    assert ids and len(set(ids)) == len(ids)
    catalog = re.findall(r"^-- ([0-9a-f]{32})$", read("units/dcm-agent.catalog"), re.M)
    for what, found in (("units/dcm-agent.catalog", catalog),
                        ("dcm-agentd(8)", re.findall(r"^\.It Li ([0-9a-f]{32}) ", text, re.M))):
        for i in sorted(set(ids) ^ set(found)):
            yield f"{what} and src/basic/log-fields.h differ in {i}"
        if len(set(found)) != len(found):
            yield f"{what} has an id twice"
    for field in re.findall(r'\{ "(DCM_\w+)"', header):
        if f".It Li {field}\n" not in text:
            yield f"dcm-agentd(8): the field {field} is missing"


def check_pages():
    """Each page that a unit, the catalog or another page of ours names exists and is installed."""
    there = {f"{p.stem}({p.suffix[1:]})" for p in PAGES}
    build = read("docs/meson.build")
    for p in PAGES:
        if f"'man/{p.name}'" not in build:
            yield f"docs/meson.build does not install {p.name}"
        for name, section in re.findall(r"^\.Xr (dcm-\S+|agent\.conf) (\d)", p.read_text(), re.M):
            if f"{name}({section})" not in there:
                yield f"{p.name} names {name}({section})"
    for path in sorted((ROOT / "units").iterdir()):
        text = path.read_text()
        for line in re.findall(r"^Documentation(?:=|: )(.*)$", text, re.M):
            for name in re.findall(r"man:(\S+)", line):
                if name not in there:
                    yield f"units/{path.name} names {name}"


def check_references():
    """A reference of a page has one name and one section: mdoc prints what follows as it is."""
    for p in PAGES:
        for line in re.findall(r"^\.Xr .*$", p.read_text(), re.M):
            if not re.fullmatch(r"\.Xr [\w.-]+ [1-8]( [().,;:]+)*", line):
                yield f"{p.name}: {line}"


def check_links():
    """Relative links of the Markdown files lead to something, their anchors too."""
    assert MARKDOWN
    for path in MARKDOWN:
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            other = path.parent / file if file else path
            if not other.exists():
                yield f"{path.name}: {target} does not exist"
            elif anchor and anchor not in anchors(other):
                yield f"{path.name}: {target} has no such heading"


def check_places():
    """Files that CONTRIBUTING.md sends one to exist; NAME stands for one's own."""
    named = set(re.findall(r"`((?:src|tests|docs|units|dbus|scripts|tools)/[\w./-]+)`", read("CONTRIBUTING.md")))
    assert len(named) > 30
    for name in sorted(named):
        if "NAME" not in name and not (ROOT / name).exists():
            yield f"CONTRIBUTING.md: there is no {name}"


def anchors(path):
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def part(name, heading):
    """Text of a section of a page."""
    return page(name).split(f".Sh {heading}\n")[1].split("\n.Sh ")[0]


def keys_of(text):
    """All names in the heads of a list: .It Cm one , two Pq ..."""
    heads = re.findall(r"^\.It (?:Cm|Pa) (.*?)(?: Pq .*)?$", text, re.M)
    return {word for head in heads for word in re.split(r"[\s,]+", head)}


def table_of(path, name):
    """First texts of the rows of a table in C."""
    body = re.search(rf"\b{name}\[\w*\] = \{{(.*?)\n\}};", read(path), re.S).group(1)
    return re.findall(r'^    (?:\[\w+\] = )?\{?"([\w-]+)"', body, re.M)


def differences(what, source, documented):
    for name in sorted(set(source) ^ set(documented)):
        yield f"{what}: {name} is {'missing' if name in source else 'none of the source'}"


def check_policy():
    """Rules and limits are in policy.conf(5) and in the installed file, and limits in dcm-agent-commands.d(5)."""
    rules = re.findall(r'\[\w+\] = "(\w+)"', read("src/site/policy.c").split("rules[_RULE_MAX]")[1].split("};")[0])
    limits = table_of("src/site/job-limits.c", "limit_keys")
    assert len(rules) >= 6 and len(limits) >= 8
    yield from differences("policy.conf(5), POLICY", rules, keys_of(part("policy.conf", "POLICY")))
    yield from differences("policy.conf(5), LIMITS", limits, keys_of(part("policy.conf", "LIMITS")))
    sample = re.findall(r"^#(\w+) =", read("units/policy.conf"), re.M)
    yield from differences("units/policy.conf", [*rules, *limits], sample)
    named = page("dcm-agent-commands.d").split(".Ss [limits]\n.Cm ")[1].split("\n")[0]
    yield from differences("dcm-agent-commands.d(5), [limits]", limits, named.split(" , "))


def check_sandbox():
    """The settings that [sandbox] knows are those of dcm-agent-commands.d(5)."""
    body = page("dcm-agent-commands.d").split(".Ss [sandbox]\n")[1].split("\n.El")[0]
    named = re.findall(r"\b[A-Z]\w+", " ".join(re.findall(r"^\.Cm (.*)$", body, re.M)))
    yield from differences("dcm-agent-commands.d(5), [sandbox]", table_of("src/site/sandbox.c", "keys"), named)


def check_alert_keys():
    """The keys of a rule are those of alerts.conf(5)."""
    names = re.findall(r'streq\(name, "(\w+)"\)', read("src/alert/rule.c"))
    assert len(names) > 12
    yield from differences("alerts.conf(5)", names, keys_of(part("alerts.conf", "DESCRIPTION")))


def check_old_keys():
    """agent.conf(5) has the keys of the Python agent about which nothing is said, each with its section."""
    text, old = part("agent.conf", "COMPATIBILITY"), read("src/core/config-names.c").split("old_keys[] = {")[1]
    named, names = [], []
    for macro, words in re.findall(r"^\.(Cm|Li) (.*)$", text.split("do nothing")[1].split("\n.It")[0], re.M):
        section = re.match(r"\[(\w+)\]", words)
        if macro == "Cm":
            names += re.findall(r"\w+", words)
        elif section:
            named += [(section[1], name) for name in names if name != "level"]
            names = []
    old = re.findall(r'\{"(\w+)", "(\w+)"\}', old.split("};")[0])
    yield from differences("agent.conf(5), COMPATIBILITY", old, named)


def check_kinds():
    """Which commands are immediate, which run inside the agent, which have a dry run: protocol.md, policy.conf(5)
    and dcm-agent-commands(7) name all of them, and no others."""
    rows = re.findall(r'\.name = "(\w+)",(.*?)\n    \},', read("src/commands/command-table.c"), re.S)
    immediate = [name for name, row in rows if "COMMAND_IMMEDIATE" in row]
    inside = [name for name, row in rows if ".run =" in row]
    files = {path.stem: path.read_text() for path in ROOT.glob("scripts/commands.d/*.conf")}
    immediate += [name for name, text in files.items() if "\nkind = immediate\n" in text]
    dry_run = [name for name, text in files.items() if "\ndry_run = yes\n" in text]
    assert len(immediate) > 4 and len(inside) > 6 and len(dry_run) > 3
    said = read("docs/protocol.md").split("## 6. ")[1].split("\n\n")[1]
    now, later = (re.findall(r"`(\w+)`", re.search(rf"{words} \((.*?)\)", said, re.S).group(1))
                  for words in (r"\*immediate\* commands", "commands inside\\sthe\\sagent"))
    yield from differences("protocol.md, immediate commands", immediate, now)
    yield from differences("protocol.md, normal commands inside the agent", set(inside) - set(immediate), later)
    said = page("policy.conf").split("start no job")[1].split(".Pp")[0]
    named = re.findall(r"[a-z]+(?:_[a-z]+)+|heartbeat", said)
    yield from differences("policy.conf(5), commands without job", inside, named)
    said = part("dcm-agent-commands", "DESCRIPTION").split(".Li dry_run\n")[1].split("change nothing")[0]
    named = " , ".join(re.findall(r"^\.Li (.*)$", said.split("true,\n")[1], re.M)).split(" , ")
    yield from differences("dcm-agent-commands(7), dry runs", dry_run, named)
    for name in immediate:
        if "An immediate command" not in part("dcm-agent-commands", name):
            yield f"dcm-agent-commands(7): {name} is not called immediate"


def check_exit_record():
    """dcm-run(8) has the lines of the exit record in their order."""
    text = page("dcm-run").split(".Ss Exit record\n")[1]
    keys = [k for k in table_of("src/basic/exit-record.c", "fields") if not k.startswith("STDERR_")]
    named = re.findall(r"[A-Z0-9_]+", " ".join(re.findall(r"^\.It Li (.*)$", text, re.M)))
    named = [name for name in named if name in keys]
    if named != keys:
        yield f"dcm-run(8) has {' '.join(named)}, the source {' '.join(keys)}"


def check_jobs():
    """dcm-executord(8) has all settings of a job's unit and all files of its directory; architecture.md the latter."""
    body = re.search(r"file_names\[\] = \{(.*?)\}", read("src/dcm-executord/job-dir.c"), re.S).group(1)
    files = re.findall(r'"([\w-]+)"', body)
    assert len(files) > 8
    yield from differences("dcm-executord(8), FILES", files, keys_of(part("dcm-executord", "FILES").split("with:")[1]))
    rows = "".join(re.findall(r"^\| `…/NAME/(.+?) \|", read("docs/architecture.md"), re.M))
    yield from differences("architecture.md, Layout", files, re.findall(r"[\w-]+", rows))
    source = read("src/dcm-executord/unit-properties.c")
    names = re.findall(r'"\(sv\)", "(\w+)"|\(m, "s", "([A-Z][A-Za-z]+)"\)|^    \{"(\w+)", "', source, re.M)
    text = page("dcm-executord").split(".Ss Units\n")[1]
    limits = {"MemoryMax", "MemorySwapMax", "CPUWeight", "IOWeight"}  # of policy.conf(5)
    for name in sorted({"".join(n) for n in names} - {"ExecStart"} - limits):
        name = re.sub("USec$", "Sec", name.removesuffix("FileDescriptor"))
        if f"{name}=" not in text:
            yield f"dcm-executord(8): the setting {name}= is missing"


def check_metrics():
    """dcm-metrics(8) and dcm-manager(8) have the names of all their metrics, and no others."""
    for program, n in (("dcm-metrics", 40), ("dcm-manager", 12)):
        names = {n for path in (ROOT / "src" / program).glob("*metrics*.c" if program == "dcm-manager" else "*.c")
                 for n in re.findall(r'"(dcm_\w+)"', path.read_text())}
        assert len(names) > n
        said = " ".join(re.findall(r"^\.It Li (dcm_.*)$", page(program), re.M))
        yield from differences(f"{program}(8)", names, re.findall(r"dcm_\w+", said))


def check_exit_statuses():
    """dcm-object(8) has each failure with its exit status, dcm-manager(8) each status and each error word."""
    source = read("src/dcm-object/failure.c").split("codes[_FAILURE_CODE_MAX] = {")[1].split("\n};")[0]
    codes = re.findall(r'\{"([\w-]+)",(?:[^{}]*?),\s*(?:EXIT_BASE(?: \+ (\d+))?|(\d)),\s*(?:true|false)\}', source)
    codes = {name: (plain or str(10 + int(added or 0))) for name, added, plain in codes if name != "ok"}
    assert len(codes) > 12
    named = re.findall(r"^\.It (\d+)\n\.Li ([\w-]+)", part("dcm-object", "EXIT STATUS"), re.M)
    yield from differences("dcm-object(8), EXIT STATUS", codes.items(), [(name, status) for status, name in named])
    statuses = re.findall(r"EXIT_\w+ = (\d+)", read("src/dcm-manager/client.h"))
    listed = re.findall(r"^\.It (\d+)$", part("dcm-manager", "EXIT STATUS"), re.M)
    for status in sorted(set(statuses) - set(listed)):
        yield f"dcm-manager(8): the exit status {status} is missing"
    source = "".join(path.read_text() for path in (ROOT / "src/dcm-manager").glob("*.c"))
    words = re.findall(r'control_client_fail\(\w+, "([\w-]+)"', source)
    text = re.search(r"^\.Li error\n\.Po\n\.Li (.*)$", part("dcm-manager", "CONTROL SOCKET"), re.M).group(1)
    yield from differences("dcm-manager(8), error", words, text.split(" , "))


def check_layers():
    """architecture.md has a row for each folder of src/ that is no program."""
    folders = [p.name for p in (ROOT / "src").iterdir() if p.is_dir() and not p.name.startswith("dcm-")]
    text = read("docs/architecture.md").split("\n## Layers\n")[1].split("\n## ")[0]
    yield from differences("architecture.md, Layers", folders, re.findall(r"^\| `(\w+)` \|", text, re.M))


def check_store():
    """architecture.md has the tables of the database with all their columns, and the keys of meta."""
    source = re.sub(r"/\*.*?\*/", "", read("src/store/schema.c"), flags=re.S)
    source = "".join(re.findall(r'"(.*)"', source.split("migrations[] = {")[1].split("\n};")[0]))
    tables = {name: set(re.findall(r"(?:^|,) ?(\w+) (?:TEXT|INTEGER)", columns))
              for name, columns in re.findall(r"CREATE TABLE (\w+) \((.*?)\)(?: WITHOUT ROWID)?;", source)}
    for name, column in re.findall(r"ALTER TABLE (\w+) ADD (\w+)", source):
        tables[name].add(column)
    text = read("docs/architecture.md").split("\n## Store\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M))
    yield from differences("architecture.md, Store", tables, rows)
    for name in tables.keys() & rows.keys() - {"alert_totals"}:
        for column in sorted(tables[name] - set(re.findall(r"`(\w+)`", rows[name]))):
            yield f"architecture.md, Store: {name} has no {column}"
    for key in re.findall(r'META_\w+ "(\w+)"', read("src/store/store.h") + read("src/store/schema.h")):
        if f"`{key}`" not in rows["meta"]:
            yield f"architecture.md, Store: meta has no {key}"


def check_readme():
    """README.md names each manual page."""
    for p in PAGES:
        if f"{p.stem}({p.suffix[1:]})" not in read("README.md"):
            yield f"README.md does not name {p.stem}({p.suffix[1:]})"


def check_line_lengths():
    """Lines of the Markdown files have at most 128 characters, except in tables and blocks of code."""
    for path in MARKDOWN:
        text = re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), path.read_text(), flags=re.M | re.S)
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > 128 and not line.startswith("|"):
                yield f"{path.name}:{number}: {len(line)} characters"


def check_bounds():
    """Each bound of basic/bounds.h and manager/limits.h is one that some source keeps to."""
    bounds = {name: path for path in ("src/basic/bounds.h", "src/dcm-manager/limits.h")
              for name in re.findall(r"^#define (\w+_MAX)\b", read(path), re.M)}
    assert len(bounds) > 100
    used = set()
    for path in [*(ROOT / "src").rglob("*.c"), *(ROOT / "src").rglob("*.h")]:
        text = path.read_text()
        if path.name in ("bounds.h", "limits.h"):
            text = re.sub(r"^#define \w+", "", text, flags=re.M)
        used |= set(re.findall(r"\b\w+_MAX\b", text))
    for name in sorted(bounds.keys() - used):
        yield f"{bounds[name]}: {name} bounds nothing"


def check_translations():
    """Every file with texts for people is in po/POTFILES."""
    listed = set(re.findall(r"^src/\S+", read("po/POTFILES"), re.M))
    used = {str(p.relative_to(ROOT)) for p in (ROOT / "src").rglob("*.c")
            if re.search(r'(?<!\w)N?_\("', p.read_text())}
    for path in sorted(listed ^ used):
        yield f"po/POTFILES: {path} is {'missing' if path in used else 'not needed'}"


def has_test(path, name):
    if not name:
        return os.access(path, os.X_OK)
    if path.suffix == ".py":
        return f"\ndef {name}(" in path.read_text()
    if name.startswith("/request-state/cell/"):
        _, _, _, state, event = name.split("/")
        return (state, event) in {cell[:2] for cell in state_cells()}
    return f'"{name}"' in path.read_text()


def state_cells():
    spec = importlib.util.spec_from_file_location("state_table", ROOT / "tests/unit/state-table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.cells(read("docs/protocol.md")))


def check_test_map():
    """Every test that docs/test-map.md names exists."""
    named = re.findall(r"`(tests/[^`:]+)(?:::([^`]+))?`", read("docs/test-map.md"))
    assert len(named) > 20
    for file, name in sorted(set(named)):
        path = ROOT / file
        if file != "tests/docs" and not (path.is_file() and has_test(path, name)):
            yield f"docs/test-map.md: there is no {file} {name}"


def check_terminals():
    """groff typesets each page for a terminal of 46 columns, of which man(1) leaves some free; head and foot name
    the project."""
    columns = 40
    for p in PAGES:
        # timeout(1) ends what groff has started, too
        done = subprocess.run(
            ["timeout", "60", "groff", "-mandoc", "-Tascii", "-P-c", "-rcR=1", f"-rLL={columns}n",
             f"-rLT={columns}n", p], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            yield f"{p.name}: groff fails or hangs at {columns} columns: exit status {done.returncode}"
            continue
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        for place, line in (("head", lines[0]), ("foot", lines[-1])):
            if "dcm-agent" not in line:
                yield f"{p.name}: no dcm-agent in the {place} at {columns} columns: {line}"


def check_lint():
    """mandoc has nothing to say."""
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *PAGES], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    yield from done.stdout.splitlines()


NEEDS = {check_lint: "mandoc", check_terminals: "groff"}


def main():
    checks = [f for name, f in globals().items() if name.startswith("check_")]
    print(f"1..{len(checks)}")
    for i, check in enumerate(checks, 1):
        name = check.__name__.removeprefix("check_")
        program = NEEDS.get(check)
        if program and not shutil.which(program):
            print(f"ok {i} - {name} # SKIP {program} is not installed")
            continue
        problems = list(check())
        print(*(f"# {p}" for p in problems), sep="\n", end="\n" if problems else "")
        print(f"{'not ok' if problems else 'ok'} {i} - {name}", flush=True)


main()
