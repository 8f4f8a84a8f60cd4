/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of the executor: dbus/org.dcmagent.Executor1.xml. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

#define EXECUTOR_NAME "org.dcmagent.Executor1"
#define EXECUTOR_PATH "/org/dcmagent/Executor1"
#define EXECUTOR_INTERFACE EXECUTOR_NAME
#define EXECUTOR_ERROR "org.dcmagent.Error." /* prefix of its own errors */

/* Calls a method about jobs with a NULL-terminated list of GUIDs. */
int executor_call_jobs(sd_bus *bus, const char *method, char **guids,
                       sd_bus_message_handler_t callback, void *userdata, sd_bus_slot **ret);

/* Kills processes that a job left behind, and has systemd unload its unit. Does not wait for the
 * answer. */
void executor_release(sd_bus *bus, const char *guid);

/* Of an answer that is an error: whether the executor would refuse the same call again; it has
 * started nothing. What the bus and systemd answer for it is not final. */
bool executor_refuses(sd_bus_message *answer);
/* Of one that is not final: the reason, with the remedy where it is known. */
void executor_explain(sd_bus_message *answer, char *buf, size_t size);
