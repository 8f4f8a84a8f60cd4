/* SPDX-License-Identifier: Apache-2.0 */
/* The durable state of the manager: agents, requests, console lines, alerts; in one SQLite
 * database. What is written in one turn of the event loop is one group, with one commit: readers
 * see it at once, and after the commit it is durable, if it was promised data. So nobody may be
 * told before the commit. Errors: -ENOSPC full disk, -EIO, -EROFS, -EBUSY, -EUCLEAN (damaged file),
 * -ENOMEM. Times are microseconds since the epoch. */
#pragma once

#include "dcm-manager/offer.h"
#include "dcm-manager/order.h"

typedef struct Ledger Ledger;

/* -EPROTONOSUPPORT: a newer version wrote the database. */
int ledger_open(const char *path, Ledger **ret);
/* Commits first. */
Ledger *ledger_free(Ledger *s);
DEFINE_CLEANUP(Ledger *, ledger_free)

/* on_begin() is called with the first write of a group; ledger_commit() must follow soon. Without
 * it each write is a group. */
void ledger_set_group(Ledger *s, void (*on_begin)(void *userdata), void *userdata);
/* Ends the group, and calls what was promised. */
int ledger_commit(Ledger *s);

/* Microseconds; each is the end of a bucket, and one more bucket has all that took longer. */
#define COMMIT_BOUNDS 9
extern const uint64_t ledger_commit_bounds_usec[COMMIT_BOUNDS];

/* Since the start. */
typedef struct LedgerCounters {
    uint64_t n_ordered, n_replied, n_nacked; /* requests */
    uint64_t commits[COMMIT_BOUNDS + 1];     /* by duration */
    uint64_t commits_usec, n_failed;
} LedgerCounters;

const LedgerCounters *ledger_get_counters(const Ledger *s) _pure_;

/* Of a list: at most the newest n rows before that one, oldest first. */
typedef struct LedgerPage {
    int64_t before; /* 0: the newest of all */
    unsigned n;
    int64_t next; /* set: what is `before` for the next page; 0: there is none */
} LedgerPage;

/* What is to happen after the commit. To be embedded in a struct on the heap, which done() frees.
 */
typedef struct LedgerPromise LedgerPromise;
struct LedgerPromise {
    LedgerPromise *next;
    /* `error`: 0, or a negative errno if nothing of the group is stored or it may be lost */
    void (*done)(LedgerPromise *p, int error);
};

/* In the order of these calls; at once if nothing was written since the last commit. */
void ledger_promise(Ledger *s, LedgerPromise *p);

/* May be lost in a power failure, because console lines are many. */
int ledger_add_log(Ledger *s, const char *agent, const char *level, const char *message,
                   int64_t *ret_time);
/* The newest n lines, oldest first; `agent` may be NULL. */
int ledger_list_log(Ledger *s, const char *agent, LedgerPage *page, struct json_object **ret);
/* The same for alerts: each has the original message and the time of its arrival. */
int ledger_list_alerts(Ledger *s, const char *agent, LedgerPage *page, struct json_object **ret);
/* A repetition changes nothing. */
int ledger_add_alert(Ledger *s, const char *agent, const char *id, const char *json);
/* Keeps the newest console lines and alerts of the agent, by number and size
 * (dcm-manager/limits.h). If the data of all agents are larger than `size_max`, removes the oldest
 * of the agent with the most data, a few agents at a time. Reads an index. */
int ledger_trim(Ledger *s, const char *agent, int64_t size_max);
