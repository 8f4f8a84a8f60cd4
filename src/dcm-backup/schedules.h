/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: a timer and a service in /etc/systemd/system, the request sealed for this machine. */
#pragma once

#include "dcm-backup/work.h"

/* Fails if the request has a schedule that systemd does not understand. */
int schedule_validate(Work *w);
/* Makes, or replaces, the schedule of the request's series, if the request has one. */
int schedule_install(Work *w);
int schedule_list(Work *w);
int schedule_remove(Work *w);

/* The calendar event of a series; -ENOENT: it has none. The caller frees. */
/* What its objects are called; the caller calls series_done(). */
int schedule_series(const char *id, Series *ret);

int schedule_calendar(const char *id, char **ret, unsigned *ret_delay_sec, uint64_t *ret_made_usec);
/* When the event comes next after that time. */
int schedule_next(const char *calendar, uint64_t after_usec, uint64_t *ret_usec);
/* Calls for the id of each schedule. */
int schedule_visit(int (*visit)(const char *id, void *userdata), void *userdata);

/* The request that systemd has unsealed for this run: name of the command, and arguments. */
int schedule_read_request(BackupCommand *ret_command, struct json_object **ret_arguments);
