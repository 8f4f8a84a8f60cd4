/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input, output and error of a program that somebody calls. */
#pragma once

/* Fills those that the caller has closed, so that no socket and no file that the program opens
 * takes their number and gets what the program prints. Printing to such a standard output fails. */
void standard_streams_fill(void);

/* Flushes standard output. A reader of a pipe that has left is no failure: it has seen enough.
 * -EIO: what was printed is not written, which the function has reported on standard error. */
int standard_output_flush(void);
