/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of the commands about data sets and backups, without those that say where objects
 * are (dcm-backup/places.h). */
#pragma once

#include "backup/object-name.h"
#include "backup/retention.h"
#include "proto/json.h"

typedef enum BackupCommand {
    BACKUP_INSTALL_DATA_SOURCE,
    BACKUP_BACKUP_DATA_SOURCE,
    BACKUP_BACKUP_SERVICE,
    BACKUP_BACKUP_PATHS,
    BACKUP_RESTORE_DATA_SOURCE,
    BACKUP_RESTORE_SERVICE,
    BACKUP_RESTORE_PATHS,
    BACKUP_VERIFY_BACKUP,
    BACKUP_LIST_BACKUPS,
    BACKUP_LIST_SCHEDULES,
    BACKUP_REMOVE_SCHEDULE,
    BACKUP_REMOVE_FORMER,
    _BACKUP_COMMAND_MAX,
    _BACKUP_COMMAND_INVALID = -EINVAL,
} BackupCommand;

const char *backup_command_name(BackupCommand command) _const_; /* "install_data_source" */
BackupCommand backup_command_of(const char *name) _pure_;

typedef enum Compression {
    COMPRESSION_ZIP, /* as the Python agent did */
    COMPRESSION_ZSTD,
    COMPRESSION_NONE,
    _COMPRESSION_MAX,
} Compression;

extern const char *const compression_names[_COMPRESSION_MAX];

typedef enum Consistency {
    CONSISTENCY_NONE,
    CONSISTENCY_LOCK,     /* the services' hooks enstratus-lock hold them meanwhile */
    CONSISTENCY_SNAPSHOT, /* of LVM or btrfs */
    _CONSISTENCY_MAX,
} Consistency;

extern const char *const consistency_names[_CONSISTENCY_MAX];

typedef struct BackupRequest {
    BackupCommand command;
    char *service_id, *data_source, *name; /* NULL: not given, as all of these */
    char *object;                          /* an object's name */
    char *configuration;                   /* a text for the service's hook; may be a secret */
    char **paths, **excludes;              /* absolute paths; patterns of tar(1) */
    char *path, *target;                   /* which of the paths; where it is restored to */
    bool one_file_system;
    Compression compression;
    char **recipients; /* public keys for age(1) */
    char *identity;    /* the secret key for it */
    Retention retain;
    char *schedule;
    unsigned delay_sec; /* at most, at random */
    Consistency consistency;
    char *pre, *post; /* names of hooks */
} BackupRequest;

/* Secrets are cleared. */
void backup_request_done(BackupRequest *q);

/* From the JSON object that the job has on standard input. -EINVAL: *ret_problem says which
 * argument is wrong and why, without its value where that is secret; the caller frees. An argument
 * that is not known is an error. */
int backup_request_parse(BackupCommand command, struct json_object *arguments, BackupRequest *ret,
                         char **ret_problem);

/* Of which series the request is. -ENOENT: it names none. */
int backup_request_series(const BackupRequest *q, Series *ret);
