# SPDX-License-Identifier: Apache-2.0
"""Writes the recap of a playbook for the reply of configure_server."""

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: dcm_recap
type: notification
short_description: writes the recap of a playbook for dcm-agent
description: Writes the figures of localhost to the file DCM_CONFIGURE_SUMMARY, as a JSON object.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "dcm_recap"
    CALLBACK_NEEDS_ENABLED = True

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
