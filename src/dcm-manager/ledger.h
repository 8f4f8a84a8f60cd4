/* SPDX-License-Identifier: Apache-2.0 */
/* The durable state of the manager: agents, requests, console lines, alerts; in one SQLite
 * database. Errors: -ENOSPC full disk, -EIO, -EROFS, -EBUSY, -EUCLEAN (damaged file), -ENOMEM.
 * Times are microseconds since the epoch. */
#pragma once

#include "dcm-manager/offer.h"
#include "dcm-manager/order.h"

typedef struct Ledger Ledger;

/* -EPROTONOSUPPORT: a newer version wrote the database. */
int ledger_open(const char *path, Ledger **ret);
Ledger *ledger_free(Ledger *s);
DEFINE_CLEANUP(Ledger *, ledger_free)

/* Not synchronised, because console lines are many. */
int ledger_add_log(Ledger *s, const char *agent, const char *level, const char *message,
                   int64_t *ret_time);
/* The newest n lines, oldest first; `agent` may be NULL. */
int ledger_list_log(Ledger *s, const char *agent, int n, struct json_object **ret);
/* The same for alerts: each has the original message and the time of its arrival. */
int ledger_list_alerts(Ledger *s, const char *agent, int n, struct json_object **ret);
/* Durable on return; a repetition changes nothing. */
int ledger_add_alert(Ledger *s, const char *agent, const char *id, const char *json);
/* Keeps the newest console lines and alerts of the agent, by number and size
 * (dcm-manager/limits.h). If the data of all agents are larger than `size_max`, removes the oldest
 * of the agent with the most data, a few agents at a time. Reads an index. */
int ledger_trim(Ledger *s, const char *agent, int64_t size_max);
