# SPDX-License-Identifier: Apache-2.0
"""Writes the recap of a playbook, and why tasks have failed, for the reply of configure_server."""

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: dcm_recap
type: notification
short_description: writes the recap of a playbook for dcm-agent
description: Writes the figures of localhost to the file DCM_CONFIGURE_SUMMARY, as a JSON object.
"""


REASONS_MAX = 20
REASON_SIZE_MAX = 1000


def reason_of(result):
    """The keys that modules describe a failure by. Ansible has censored what is not to be logged."""
    texts = [str(result.get(key) or "").strip() for key in ("msg", "stderr", "module_stderr")]
    return ": ".join(dict.fromkeys(text for text in texts if text)) or "no reason was given"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "dcm_recap"
    CALLBACK_NEEDS_ENABLED = True
    n_reasons = 0

    def _tell(self, result):
        path = os.environ.get("DCM_ANSIBLE_REASONS")
        if path and self.n_reasons < REASONS_MAX:
            self.n_reasons += 1
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{result.task_name}: {reason_of(result._result)}"[:REASON_SIZE_MAX] + "\n")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._tell(result)

    def v2_runner_on_unreachable(self, result):
        self._tell(result)

    def v2_playbook_on_stats(self, stats):
        path = os.environ.get("DCM_CONFIGURE_SUMMARY")
        if not path:
            return
        total = dict.fromkeys(("ok", "changed", "failures", "unreachable", "skipped", "rescued", "ignored"), 0)
        for host in stats.processed:
            for name, n in stats.summarize(host).items():
                total[name] = total.get(name, 0) + n
        recap = {
            "type": "ansible",
            "dry_run": bool(os.environ.get("DCM_DRY_RUN")),
            "total": total["ok"] + total["failures"] + total["skipped"] + total["unreachable"],
            "changed": total["changed"],
            "failed": total["failures"] + total["unreachable"],
            "skipped": total["skipped"],
        }
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(recap, file)
        os.replace(path + ".new", path)
