/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The part of the reply that the standard output of a command's job becomes. */
typedef enum CommandOutput {
    OUTPUT_TEXT,   /* the message */
    OUTPUT_STRING, /* the reply object, a string */
    OUTPUT_JSON,   /* the reply object */
    OUTPUT_REPLY,  /* the whole reply */
} CommandOutput;
