/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one program to its end and keeps what it writes. */
#pragma once

#include <stdio.h>

#include "basic/macro.h"

typedef struct ProgramResult {
    int status; /* 128 + N after signal N */
    char *out, *err;
    size_t out_size, err_size; /* at most PROGRAM_OUTPUT_MAX; there is a NUL behind */
} ProgramResult;

void program_result_done(ProgramResult *r);

/* Writes what it has written to our standard output and error. */
void program_result_pass_on(const ProgramResult *r);

/* A list of arguments that grows; the first failure stays, and program_run() returns it. */
typedef struct Arguments {
    char **list;
    size_t n;
    int error;
} Arguments;

void arguments_done(Arguments *a);
void arguments_add(Arguments *a, const char *format, ...) _printf_(2, 3);

/* The first argument is the program, a path or a name searched in PATH. input_fd: its standard
 * input, -1 for none. 0: it has ended, whatever its status is. -ENOENT: there is no such
 * program. */
int program_run(const Arguments *a, int input_fd, ProgramResult *ret);

/* The same. `on_output` sees each piece of what it writes, also what is too much to be kept. */
typedef void (*ProgramOutput)(bool is_error, const char *piece, size_t size, void *userdata);
int program_follow(const Arguments *a, int input_fd, ProgramOutput on_output, void *userdata,
                   ProgramResult *ret);

/* program_run() of a tool whose output matters only if it fails: its status, or a negative errno;
 * either has been logged with what it said. */
int program_call(const Arguments *a);

/* The first line of a text, as UTF-8 without control characters; the caller frees. */
int first_line(const char *text, size_t size, char **ret);
