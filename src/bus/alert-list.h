/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts on D-Bus. */
#pragma once

#include <systemd/sd-bus.h>

#include "store/store.h"

/* Answers the method ListAlerts. */
int bus_list_alerts(sd_bus_message *m, Store *store);
