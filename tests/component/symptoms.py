# SPDX-License-Identifier: Apache-2.0
"""What dcm-agent-troubleshooting(7) says, for the tests that make the mistakes: of each symptom, what each place
says, and with which exit status."""

import re

from harness import ROOT

PAGE = ROOT / "docs/man/dcm-agent-troubleshooting.7"
THE_TEXT = "the text"
PLACES = ("systemctl status", "dcm-agentctl status", "dcm-agentctl doctor", "dcm-agentctl config --check", "journal")


def read_place(lines):
    """What follows the name of a place, up to the next: the text or a quotation, and an exit status or None."""
    said = status = None
    while lines and not lines[0].startswith((".It ", ".El")):
        line = lines.pop(0)
        if line.startswith(".Dq "):
            said = re.fullmatch(r"\.Dq (.+?)(?: ;)?", line)[1]
        elif line.startswith(THE_TEXT):
            said = THE_TEXT
        if found := re.search(r"exit status (\d+)$", line):
            status = int(found[1])
    assert said, lines[:3]
    return said, status


def read_page():
    """{symptom: {place: (what it says, exit status)}}; what a section says holds for each of its symptoms, unless the
    symptom has that place itself."""
    symptoms, of_section, symptom = {}, {}, None
    lines = PAGE.read_text().replace("\\-", "-").replace("\\&", "").splitlines()
    while lines:
        line = lines.pop(0)
        if line.startswith(".Sh "):
            of_section, symptom = {}, None
        elif line.startswith(".It Dq "):
            symptom = line.removeprefix(".It Dq ")
            symptoms[symptom] = dict(of_section)
        elif line.startswith(".It ") and line.removeprefix(".It ") in PLACES:
            places = of_section if symptom is None else symptoms[symptom]
            places[line.removeprefix(".It ")] = read_place(lines)
    return symptoms


SYMPTOMS = read_page()


def compare(symptom, seen):
    """`seen` is {place: (text, exit status)}; what the page says of a place is true of it."""
    for place, (said, status) in SYMPTOMS[symptom].items():
        text, seen_status = seen[place]
        wanted = symptom if said == THE_TEXT else said
        assert wanted in text, (place, wanted, text)
        assert status is None or seen_status is None or status == seen_status, (place, seen_status, text)
