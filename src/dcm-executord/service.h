/* SPDX-License-Identifier: Apache-2.0 */
/* The D-Bus interface, dbus/org.dcmagent.Executor1.xml, and who may call it. */
#pragma once

#include "dcm-executord/manager.h"

/* Puts the object on the bus and takes the name. */
int service_attach(Manager *m);
