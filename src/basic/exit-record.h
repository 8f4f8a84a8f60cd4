/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a job's script, in a small text file. dcm-run writes it as its last act; an
 * incomplete record reads as absent.
 * The first byte decides whether the script runs: before it starts the script, dcm-run writes
 * EXIT_RECORD_CLAIM durably. If the file is empty, the job never ran and may be started; to refuse
 * the job for good, write a record. Every writer locks the file (flock) first. */
#pragma once

#include "basic/boot-id.h"
#include "basic/macro.h"
#include "basic/sha256.h"

#define EXIT_RECORD_CLAIM "DCM_EXIT_RECORD=1\n" /* each record begins with it */
#define EXIT_RECORD_CLAIM_SIZE 128

typedef enum ExitKind {
    EXIT_KIND_EXITED,
    EXIT_KIND_KILLED,
    EXIT_KIND_START_FAILED,
    _EXIT_KIND_MAX,
    _EXIT_KIND_INVALID = -EINVAL,
} ExitKind;

/* Why the script was ended, if it did not end by itself. */
typedef enum ExitReason {
    EXIT_REASON_NONE,
    EXIT_REASON_TIMEOUT, /* its time limit expired */
    EXIT_REASON_OOM,     /* the kernel killed a process of the unit for lack of memory */
    _EXIT_REASON_MAX,
    _EXIT_REASON_INVALID = -EINVAL,
} ExitReason;

/* One output stream. The files keep head_bytes of its beginning, and tail_bytes from tail_offset
 * (an offset in the stream) on; after a write error the tail may end before the stream does. */
typedef struct OutputSummary {
    uint64_t total_bytes;
    uint64_t head_bytes;
    uint64_t tail_bytes;
    uint64_t tail_offset;
    char sha256[SHA256_HEX_SIZE]; /* of the whole stream */
} OutputSummary;

typedef struct ExitRecord {
    uint64_t output_max;        /* kept of each stream; 0 in a record to be written: the default */
    char boot_id[BOOT_ID_SIZE]; /* in which it ran, if the job reboots the server; else "" */
    ExitKind kind;
    int status; /* exit status, signal number, or errno of the failed start */
    ExitReason reason;
    uint64_t left_behind;              /* processes still running when the script had ended */
    uint64_t started_usec, ended_usec; /* CLOCK_REALTIME, for people */
    OutputSummary out, err;
} ExitRecord;

const char *exit_kind_to_string(ExitKind kind);

/* The first bytes that dcm-run writes: EXIT_RECORD_CLAIM, the size kept of each stream unless that
 * is the default, and the boot if there is one in the record. The final record begins with the same
 * bytes. */
void exit_record_claim(const ExitRecord *r, char ret[static EXIT_RECORD_CLAIM_SIZE]);
/* Of a claim; the text may also be empty, or garbage. "" without a boot. */
uint64_t exit_record_get_output_max(const char *text, size_t size);
void exit_record_get_boot_id(const char *text, size_t size, char ret[static BOOT_ID_SIZE]);

/* Exit status of a dcm-run that writes no record: one exists already, or its files are missing. */
#define EXIT_NO_RECORD 125
/* Exit status of the dcm-run that writes this record. */
int exit_record_get_exit_status(const ExitRecord *r) _pure_;

int exit_record_render(const ExitRecord *r, char **ret);

/* -ENODATA: no record, or an incomplete one. -EBADMSG: complete, but not in the format of
 * exit_record_render(). */
int exit_record_parse(const char *text, size_t size, ExitRecord *ret);
