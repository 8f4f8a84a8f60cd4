/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound on what a peer, a file or a job may make the programs hold. Sizes are bytes unless
 * noted. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define USEC_PER_MSEC ((uint64_t)1000)
#define USEC_PER_SEC ((uint64_t)1000000)

/* wire */
#define MESSAGE_SIZE_MAX ((size_t)8 * 1024 * 1024) /* one WebSocket message, either direction */
#define HANDSHAKE_SIZE_MAX ((size_t)256 * 1024)    /* the same, until the handshake is accepted */
#define MESSAGE_EXCESS_MAX ((size_t)1 << 30) /* of a too long message, searched for its GUID */
#define RECEIVE_FREE ((size_t)16 * 1024)     /* of a message, not counted in shared budgets */
#define HTTP_HEAD_MAX ((size_t)64 * 1024)
#define JSON_DEPTH_MAX 32
#define PEER_TEXT_MAX ((size_t)512)         /* of a text in the handshake, either direction */
#define GUID_SIZE_MAX ((size_t)1024)        /* longer ones get a NACK */
#define GUID_PLAIN_MAX ((size_t)128)        /* longer ones become a hash in file names */
#define COMMAND_NAME_MAX ((size_t)128)      /* longer ones are not quoted */
#define LOG_WAITING_MAX ((size_t)64 * 1024) /* log entries that the journal has not accepted */
#define LOG_MESSAGE_MAX ((size_t)10 * 1024)
#define SEND_QUEUE_MAX ((size_t)2 * MESSAGE_SIZE_MAX) /* encoded bytes queued for the socket */
#define FRAGMENTS_MAX 65536u                          /* of one WebSocket message */
#define PONGS_WAITING_MAX 1024u /* for a peer that sends pings and does not read */
#define SEND_QUEUE_HIGH_MAX ((size_t)1024 * 1024) /* above it nothing is read ... */
#define SEND_QUEUE_LOW_MAX ((size_t)512 * 1024)   /* ... until the queue has shrunk to this */
#define URL_SIZE_MAX ((size_t)2048)
#define ADDRESSES_TRIED_MAX 32u                    /* of one host name */
#define ADDRESSES_TOLD_MAX ((size_t)64)            /* of each family, reported to the manager */
#define ROUTES_READ_MAX 4096u                      /* searched for the default one */
#define RESOLVER_THREADS_MAX 4u                    /* concurrent lookups */
#define RETRY_AFTER_USEC_MAX (3600 * USEC_PER_SEC) /* as an HTTP server may request */
#define PINS_MAX 8u                                /* public keys that the manager may have */
#define SECRET_FILE_MAX ((size_t)4096)             /* user and password for a proxy */
#define ENROLMENT_TOKEN_SIZE_MAX ((size_t)256)     /* a secret by which new agents come in */
#define CONSOLE_LINES_MAX 100u                     /* queued while there is no connection */

/* JSON: memory that json-c may use for the values of one text */
#define JSON_MEMORY_MAX ((uint64_t)4 * MESSAGE_SIZE_MAX)
#define JSON_SMALL_MEMORY ((uint64_t)512 * 1024)   /* of a handshake, or of a job's call */
#define JSON_ENVELOPE_MEMORY ((uint64_t)64 * 1024) /* of a message without its payload ... */
#define JSON_ENVELOPE_DEPTH 1u                     /* ... and its levels */

/* volumes */
#define VOLUME_DEVICES_MAX 64             /* of one request */
#define VOLUME_NAME_MAX ((size_t)255)     /* of a device, as a request names it */
#define VOLUME_PATH_MAX ((size_t)1024)    /* of a mount point */
#define VOLUME_OPTIONS_MAX ((size_t)1024) /* of a mount */
#define VOLUME_TEXT_MAX 255               /* of other arguments */

/* packages */
#define PACKAGES_MAX 100000u                          /* installed, and of one change */
#define PACKAGES_NAMED_MAX ((size_t)1000)             /* in one request */
#define PACKAGE_NAME_MAX ((size_t)255)                /* also of a version, and of a pattern */
#define PACKAGE_VERSIONS_MAX ((size_t)256)            /* of one package */
#define PACKAGE_SOURCES_MAX ((size_t)4096)            /* of security updates */
#define PACKAGE_OUTPUT_MAX ((size_t)64 * 1024 * 1024) /* of a program that lists packages */
#define REPOSITORY_NAME_MAX ((size_t)64)
#define REPOSITORY_COMPONENTS_MAX ((size_t)16)
#define REPOSITORY_KEY_MAX ((size_t)256 * 1024)

/* requests */
#define REQUESTS_OPEN_MAX 10000u
#define REQUESTS_LISTED_MAX 10000u /* in one call */
#define JOBS_LISTED_MAX 10000u
#define ERROR_MESSAGE_MAX ((size_t)1024)

/* jobs */
#define SCRIPT_SIZE_MAX ((size_t)16 * 1024 * 1024) /* after decompression */
#define JOB_ARGUMENTS_MAX 256u
#define JOB_ARGUMENTS_SIZE_MAX ((size_t)128 * 1024) /* all together */
/* kept of each stream, half of it the beginning, half the end: range of the policy */
#define JOB_OUTPUT_MIN ((uint64_t)128 * 1024)
#define JOB_OUTPUT_DEFAULT ((uint64_t)1024 * 1024)
#define JOB_OUTPUT_MAX ((uint64_t)1024 * 1024 * 1024)
/* of either stream in a reply: range of agent.conf */
#define REPLY_OUTPUT_DEFAULT ((uint64_t)1024 * 1024)
#define REPLY_OUTPUT_MAX ((uint64_t)3 * 1024 * 1024)
/* of either stream in a reply, encoded as JSON: two streams and the rest fit in a message */
#define REPLY_STREAM_MAX ((size_t)3584 * 1024)
#define OUTPUT_PIECE_MAX ((size_t)1024 * 1024) /* of one get_job_output */
#define EXIT_RECORD_MAX ((size_t)4096)
#define REMOVE_GUIDS_MAX 1024u   /* in one call of Remove */
#define KEPT_UNITS_MAX 256u      /* units that stay for their processes, and are watched */
#define EXECUTOR_CALLS_MAX 1024u /* calls waiting for an answer */
#define UNIT_START_USEC_MAX (90 * USEC_PER_SEC) /* longer than systemd takes to reload */
#define INTERPRETER_SIZE_MAX ((size_t)256)
#define COMMAND_FILES_MAX 256u /* commands that an administrator added */
#define COMMAND_FILE_NAME_MAX ((size_t)64)
#define COMMAND_ARGUMENTS_MAX 48u
#define COMMAND_FEATURES_MAX 32u      /* of one command */
#define COMMAND_INCLUDES_MAX 64u      /* parts of a command, and parts of parts */
#define COMMAND_INCLUDES_DEPTH_MAX 4u /* of parts within parts of a command */
#define COMMAND_SECRETS_MAX 8u        /* passed as files: dbus-daemon allows 16 in a message */
#define JOB_USER_NAME_MAX 31u         /* as useradd limits it */
#define JOB_INPUT_MAX ((size_t)8 * 1024 * 1024)   /* on a job's standard input */
#define JOB_SECRETS_SIZE_MAX ((size_t)768 * 1024) /* all together; systemd allows 1 MiB */
#define JOB_LINE_MAX ((size_t)8192)               /* of a console line from a job */
#define JOB_LINES_MAX 50u                   /* per second, from a job's files, and from its calls */
#define JOB_READ_MAX ((uint64_t)512 * 1024) /* of a job's file, in one look */
#define JOB_LINES_BEHIND_MAX ((uint64_t)64 * 1024) /* sent later; the agent skips older ones */
#define JOB_PROGRESS_SIZE ((size_t)256)
#define FILE_WATCH_LOOKS_MAX 5u /* at job output, per tenth of a second */
#define VARLINK_MESSAGE_MAX ((size_t)64 * 1024)
#define VARLINK_ANSWER_MAX ((size_t)4096) /* that a job reads */
#define VARLINK_CONNECTIONS_MAX 128u
#define VARLINK_CONNECTIONS_OF_USER_MAX 32u
#define CANCEL_GRACE_USEC_MAX (90 * USEC_PER_SEC)
#define JOB_FINISH_USEC_MAX (3600 * USEC_PER_SEC) /* that a script may take to end in order */

/* downloads */
#define FETCH_URL_MAX ((size_t)8 * 1024)
#define FETCH_CERTIFICATE_MAX ((size_t)64 * 1024) /* of ssl_cert */
#define FETCH_ORDER_MAX ((size_t)80 * 1024)       /* URL, certificate and the keys */
#define FETCH_REDIRECTS_MAX 5
#define FETCH_TIME_USEC_MAX (1800 * USEC_PER_SEC) /* of one download */
#define FETCH_MEMORY_MAX ((uint64_t)128 * 1024 * 1024)
#define FETCH_TASKS_MAX 8u /* name resolution uses threads */

/* object storage */
#define PLACE_SIZE_MAX ((size_t)128 * 1024) /* the JSON of a place */
#define PLACE_VALUE_MAX                                                                            \
    ((size_t)32 * 1024) /* of one of its values; a private key, for instance                       \
                         */
#define OBJECT_NAME_MAX ((size_t)1024)
#define OBJECTS_LISTED_MAX 10000u                       /* in one list */
#define OBJECT_LINE_MAX ((size_t)16 * 1024)             /* of rclone's log, and of its lists */
#define OBJECT_CHANNEL_MAX ((size_t)192 * 1024)         /* of one message to the unit with rclone */
#define OBJECT_MEMORY_MAX ((uint64_t)224 * 1024 * 1024) /* of the unit with rclone */
#define OBJECT_TASKS_MAX 128u                           /* threads of rclone */
#define OBJECT_TRIES_MAX 5u                             /* of one transfer, without any progress */

/* programs that a command runs, hooks of services among them */
#define PROGRAM_OUTPUT_MAX ((size_t)1024 * 1024) /* of each stream */

/* services */
#define SERVICE_ID_MAX ((size_t)64)
#define SERVICES_PATH_MAX ((size_t)255)              /* of the directory with all services */
#define SERVICES_MAX ((size_t)4096)                  /* directories in it */
#define SERVICE_UNIT_MAX ((size_t)64 * 1024)         /* of a shipped unit */
#define SERVICE_LOCK_USEC_MAX (86400 * USEC_PER_SEC) /* how long a lock may be held */
#define ARCHIVE_PATH_MAX ((size_t)2048)
#define ARCHIVE_NAME_MAX ((size_t)255) /* of one part of a path */
#define ARCHIVE_DEPTH_MAX ((size_t)64)
#define ARCHIVE_ENTRIES_MAX ((uint64_t)1000000)
#define ARCHIVE_SIZE_DEFAULT ((uint64_t)10 * 1024 * 1024 * 1024) /* of all files, unpacked */
#define ARCHIVE_SIZE_MAX ((uint64_t)16 << 40)            /* the same, as it may be ordered */
#define ARCHIVE_FREE_MIN ((uint64_t)64 * 1024 * 1024)    /* left on the disk */
#define ARCHIVE_MEMORY_MAX ((uint64_t)512 * 1024 * 1024) /* of the unpacker */

/* backups */
#define BACKUP_TEXT_MAX ((size_t)255) /* of an argument */
#define BACKUP_NAME_MAX ((size_t)64)  /* of a service, and of a series */
#define BACKUP_CONFIGURATION_MAX ((size_t)512 * 1024)
#define BACKUP_IDENTITY_MAX ((size_t)64 * 1024)
#define BACKUP_PATHS_MAX 64u /* of one backup */
#define BACKUP_RECIPIENTS_MAX 16u
#define BACKUP_RECIPIENT_MAX ((size_t)1024) /* RSA keys of SSH are long */
#define BACKUP_KEPT_MAX 1000                /* newest, days, weeks or months */
#define BACKUP_CALENDAR_MAX ((size_t)200)
#define BACKUP_DELAY_SEC_MAX 86400
#define BACKUP_RECORDS_MAX 5000u /* in the catalogue; the oldest go */
#define BACKUP_LISTED_MAX 1000u  /* in a reply */
#define BACKUP_RECORD_MAX ((size_t)64 * 1024)
#define BACKUP_SERIES_MAX 512u                      /* in the file with the state of all */
#define BACKUP_STATUS_MAX ((size_t)1024 * 1024)     /* that file */
#define BACKUP_OUTPUT_MAX ((size_t)8 * 1024 * 1024) /* of a program whose output is read */

/* alerts */
#define ALERT_TEXT_MAX ((size_t)64 * 1024)     /* of one alert in the file; the rest is cut off */
#define ALERT_PIECE_MAX ((size_t)256 * 1024)   /* of the alert file, read and stored at a time */
#define ALERT_FILES_SEARCHED_MAX 65536u        /* names searched for a rotated file */
#define ALERT_FILES_BETWEEN_MAX 64u            /* rotated files read since the last read */
#define ALERTS_IN_FLIGHT_MAX 64u               /* sent and not acknowledged */
#define ALERTS_WAITING_MAX ((uint64_t)1000000) /* stored, unacknowledged; more are refused */
#define ALERTS_WAITING_SIZE_MAX ((uint64_t)1 << 30) /* the same, in bytes */
#define ALERTS_KEPT_MAX ((uint64_t)100000) /* acknowledged, or not to be sent; the newest stay */
#define ALERTS_KEPT_SIZE_MAX ((uint64_t)256 * 1024 * 1024)
#define ALERTS_KEPT_USEC_MAX (30 * 86400 * USEC_PER_SEC)
#define ALERT_LISTED_MAX ((size_t)8 * 1024) /* of each text of a listed alert */
#define ALERTS_LISTED_MAX 1000u             /* in one call */

/* identity in the cloud */
#define CLOUD_CONNECT_USEC (2 * USEC_PER_SEC)
#define CLOUD_TIME_USEC (10 * USEC_PER_SEC) /* for all metadata queries together */
#define CLOUD_WAIT_USEC (12 * USEC_PER_SEC) /* how long the agent waits for the result */
#define CLOUD_BODY_MAX ((size_t)64 * 1024)  /* of one response of a metadata service */
#define CLOUD_SCRIPT_MAX ((size_t)1024 * 1024)
#define CLOUD_VALUE_MAX ((size_t)1024)
#define CLOUD_ADDRESSES_MAX 16u
#define CLOUD_ANSWER_MAX ((size_t)16 * 1024) /* result of dcm-cloud */
#define LEASE_FILE_MAX ((size_t)256 * 1024)

/* health */
#define STATS_MAX 128u         /* definitions by the manager */
#define STAT_INTERVALS_MAX 16u /* different ones among these definitions */
#define STAT_NAME_MAX ((size_t)256)
#define STAT_HOLD_MAX 10000u /* of one definition */
#define STAT_INTERVAL_USEC_MIN ((uint64_t)100000)
#define STAT_INTERVAL_USEC_MAX (86400 * USEC_PER_SEC)
#define STAT_SAMPLES_SIZE_MAX                                                                      \
    ((size_t)16 * 1024 * 1024)                        /* of all: a new sample replaces the oldest */
#define STAT_REPLY_SIZE_MAX ((size_t)3 * 1024 * 1024) /* samples of one reply, the newest */
#define STAT_REPLY_MEMORY_MAX ((size_t)24 * 1024 * 1024) /* for the receiver of the reply */
#define HEALTH_DISKS_MAX 1024u                           /* partitions included */
#define HEALTH_INTERFACES_MAX 4096u
#define HEALTH_MOUNTS_MAX 16384u
#define HEALTH_FILE_SYSTEMS_MAX 256u
#define HEALTH_SENSORS_MAX 128u
#define HEALTH_ARRAYS_MAX 128u
#define HEALTH_MISSING_MOUNTS_MAX 64u      /* listed by name; all are counted */
#define METRICS_REQUEST_MAX ((size_t)8192) /* head of a collector's HTTP request */
#define METRICS_REQUEST_USEC (5 * USEC_PER_SEC)
#define METRICS_BUS_USEC (2 * USEC_PER_SEC) /* for an answer from the agent */
#define ALERT_RULES_MAX 64u
#define ALERT_RULE_NAME_MAX ((size_t)48)
#define ALERT_RULE_MESSAGE_MAX ((size_t)256)
#define ALERT_INTERVAL_USEC_DEFAULT (10 * USEC_PER_SEC)
#define ALERT_LEVEL_DEFAULT 7
#define ALERT_VALUES_MAX 4096u                           /* watched by all rules; each row counts */
#define HEALTH_WATCHERS_MAX 64u                          /* programs that have subscribed */
#define HEALTH_SAMPLES_LISTED_MAX 1000u                  /* of each series, in one call */
#define HEALTH_ANSWER_SIZE_MAX ((size_t)4 * 1024 * 1024) /* approximate, of one answer on D-Bus */
#define HEALTH_FAILED_UNITS_MAX 64u                      /* listed by name; all are counted */

/* disks */
#define BLOCKS_MAX 4096u /* block devices, partitions included */
#define BLOCK_LINKS_MAX 256u
#define BLOCK_SIGNATURES_MAX 64u /* of one device */
#define MOUNTS_MAX 16384u

/* files */
#define CONFIG_FILE_MAX ((size_t)256 * 1024)
#define PROBLEMS_MAX 100   /* of configuration files, that are listed; all are counted */
#define INI_UNCLEAR_MAX 10 /* lines of one file that are told as not understood, one by one */
#define INI_LINE_MAX ((size_t)64 * 1024) /* of a configuration file, without the end of line */
#define CERTIFICATE_FILE_MAX ((size_t)4 * 1024 * 1024) /* watched for changes */
#define PROC_FILE_MAX ((size_t)1024 * 1024)
