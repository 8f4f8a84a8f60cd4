/* SPDX-License-Identifier: Apache-2.0 */
/* What must outlive the manager: agents, requests, console lines, alerts; in one SQLite database.
 * Errors: -ENOSPC full disk, -EIO, -EROFS, -EBUSY, -EUCLEAN (the file is damaged), -ENOMEM. Times
 * are microseconds since the epoch. */
#pragma once

#include "dcm-manager/offer.h"
#include "dcm-manager/order.h"

typedef struct Ledger Ledger;

/* -EPROTONOSUPPORT: written by a newer version. */
int ledger_open(const char *path, Ledger **ret);
Ledger *ledger_free(Ledger *s);
DEFINE_CLEANUP(Ledger *, ledger_free)

/* Not synchronised: console lines are many. */
int ledger_add_log(Ledger *s, const char *agent, const char *level, const char *message,
                   int64_t *ret_time);
/* The newest n lines, oldest first; `agent` may be NULL. */
int ledger_list_log(Ledger *s, const char *agent, int n, struct json_object **ret);
/* Likewise; of each the message as it came, and when that was. */
int ledger_list_alerts(Ledger *s, const char *agent, int n, struct json_object **ret);
/* Durable on return; a repeated one changes nothing. */
int ledger_add_alert(Ledger *s, const char *agent, const char *id, const char *json);
/* Of the agent's console lines and alerts the newest stay, by number and by size
 * (dcm-manager/limits.h). Where all agents' together are larger than `size_max`, the oldest of the
 * agent that has most go, a few agents at a time. Reads an index. */
int ledger_trim(Ledger *s, const char *agent, int64_t size_max);
