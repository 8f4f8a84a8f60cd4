/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the standard output of a command's job is. */
typedef enum CommandOutput {
    OUTPUT_TEXT,   /* the message */
    OUTPUT_STRING, /* the reply object, a string */
    OUTPUT_JSON,   /* the reply object */
    OUTPUT_REPLY,  /* the whole reply */
} CommandOutput;
