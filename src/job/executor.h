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

/* Whether the executor would refuse the same call again; it has started nothing. */
bool executor_error_is_final(const sd_bus_error *e);
