/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a job's script, in a small text file that dcm-run writes last of all. A record
 * that was not written to its end reads as absent.
 *
 * The first byte decides whether the script runs: before it starts the script, dcm-run writes
 * EXIT_RECORD_CLAIM, durably. A file that is empty belongs to a job that never ran, and may be
 * started; whoever refuses it for good writes a record. Both lock the file (flock) to do so. */
#pragma once

#include "basic/macro.h"
#include "basic/sha256.h"

#define EXIT_RECORD_CLAIM "DCM_EXIT_RECORD=1\n" /* each record begins with it */
#define EXIT_RECORD_CLAIM_SIZE 64

typedef enum ExitKind {
    EXIT_KIND_EXITED,
    EXIT_KIND_KILLED,
    EXIT_KIND_START_FAILED,
    _EXIT_KIND_MAX,
    _EXIT_KIND_INVALID = -EINVAL,
} ExitKind;

/* What ended the script, where it did not end by itself. */
typedef enum ExitReason {
    EXIT_REASON_NONE,
    EXIT_REASON_TIMEOUT, /* its time was up */
    EXIT_REASON_OOM,     /* the kernel killed something in the unit for lack of memory */
    _EXIT_REASON_MAX,
    _EXIT_REASON_INVALID = -EINVAL,
} ExitReason;

/* One output stream. Kept of it are head_bytes at its beginning and tail_bytes from tail_offset (an
 * offset in the stream) on; after an output file could not be written the tail may end before the
 * stream does. */
typedef struct OutputSummary {
    uint64_t total_bytes;
    uint64_t head_bytes;
    uint64_t tail_bytes;
    uint64_t tail_offset;
    char sha256[SHA256_HEX_SIZE]; /* of the whole stream */
} OutputSummary;

typedef struct ExitRecord {
    uint64_t output_max; /* that is kept of a stream; 0 in a record to be written: the default */
    ExitKind kind;
    int status; /* exit status, signal number, or errno of the failed start */
    ExitReason reason;
    uint64_t left_behind;              /* processes that ran on when the script had ended */
    uint64_t started_usec, ended_usec; /* CLOCK_REALTIME, for people */
    OutputSummary out, err;
} ExitRecord;

const char *exit_kind_to_string(ExitKind kind);

/* What dcm-run writes first: EXIT_RECORD_CLAIM, and how much of a stream is kept where that is not
 * the default. The record that is written over it begins with the same. */
void exit_record_claim(uint64_t output_max, char ret[static EXIT_RECORD_CLAIM_SIZE]);
/* From a record that may be no more than the claim, or empty, or garbage. */
uint64_t exit_record_get_output_max(const char *text, size_t size);

/* With what dcm-run ends that writes none: there is one already, or it has not its files. */
#define EXIT_NO_RECORD 125
/* With what dcm-run ends that writes this record. */
int exit_record_get_exit_status(const ExitRecord *r) _pure_;

int exit_record_render(const ExitRecord *r, char **ret);

/* -ENODATA: none, or not complete. -EBADMSG: complete, but nothing that exit_record_render() makes.
 */
int exit_record_parse(const char *text, size_t size, ExitRecord *ret);
