/* SPDX-License-Identifier: Apache-2.0 */
/* The D-Bus interface, dbus/org.dcmagent.Executor1.xml, and its access check. */
#pragma once

#include "dcm-executord/executord.h"

/* Adds the object to the bus and takes the name. */
int service_attach(Executord *m);
