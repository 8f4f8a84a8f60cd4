/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a unit of this program, whatever ends it: its other processes are halted, but what
 * changes packages goes on, as a package manager that is killed leaves its database in between. */
#pragma once

/* Ends the other processes of the unit of this one. 1: its script was at work, 0: that had ended. A
 * negative errno has been logged. */
int settle_processes(void);
