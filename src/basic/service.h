/* SPDX-License-Identifier: Apache-2.0 */
/* What dcm-agentd leaves behind when it ends, for those who explain it. */
#pragma once

/* The manager ordered the agent to stop for good; the unit has it in RestartPreventExitStatus=. */
#define EXIT_HEMLOCK 113

/* clean_image leaves it for dcm-agent-seal@.service: "BOOT-ID JOB-NAME\n" */
#define SEAL_ORDER "/var/lib/dcm-seal/order"

/* how its last status text begins */
#define SERVICE_STOPPED_FOR_GOOD "Stopped for good"
#define SERVICE_FAILED "Failed: "
