/* SPDX-License-Identifier: Apache-2.0 */
/* The D-Bus interface, dbus/org.dcmagent.Executor1.xml, and who may call it. */
#pragma once

#include "dcm-executord/executord.h"

/* Puts the object on the bus and takes the name. */
int service_attach(Executord *m);
