/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound on what a peer, a file or a job may make us hold. Sizes are bytes unless named
 * otherwise. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define USEC_PER_MSEC ((uint64_t)1000)
#define USEC_PER_SEC ((uint64_t)1000000)

/* wire */
#define MESSAGE_SIZE_MAX ((size_t)8 * 1024 * 1024) /* one WebSocket message, either direction */
#define HANDSHAKE_SIZE_MAX ((size_t)256 * 1024)    /* the same before both sides are known */
#define MESSAGE_EXCESS_MAX ((size_t)1 << 30) /* a larger one, where it is asked which one it is */
#define RECEIVE_FREE ((size_t)16 * 1024)     /* of a message, that is no part of a budget for all */
#define HTTP_HEAD_MAX ((size_t)64 * 1024)
#define JSON_DEPTH_MAX 32
#define PEER_TEXT_MAX ((size_t)512)         /* a text of the handshake, either direction */
#define GUID_SIZE_MAX ((size_t)1024)        /* longer ones are NACKed */
#define GUID_PLAIN_MAX ((size_t)128)        /* longer ones are hashed for a file's name */
#define COMMAND_NAME_MAX ((size_t)128)      /* longer ones are not repeated */
#define LOG_WAITING_MAX ((size_t)64 * 1024) /* log entries that the journal does not take yet */
#define LOG_MESSAGE_MAX ((size_t)10 * 1024)
#define SEND_QUEUE_MAX ((size_t)2 * MESSAGE_SIZE_MAX) /* encoded bytes waiting for the socket */
#define FRAGMENTS_MAX 65536u                          /* of one WebSocket message */
#define PONGS_WAITING_MAX 1024u                       /* of a peer that pings and does not read */
#define SEND_QUEUE_HIGH_MAX ((size_t)1024 * 1024)     /* nothing is read while more waits ... */
#define SEND_QUEUE_LOW_MAX ((size_t)512 * 1024)       /* ... until this is left */
#define URL_SIZE_MAX ((size_t)2048)
#define ADDRESSES_TRIED_MAX 32u                    /* of a name, that are tried */
#define ADDRESSES_TOLD_MAX ((size_t)64)            /* of each family, of this server */
#define ROUTES_READ_MAX 4096u                      /* in which the default one is looked for */
#define RESOLVER_THREADS_MAX 4u                    /* names that are looked up at a time */
#define RETRY_AFTER_USEC_MAX (3600 * USEC_PER_SEC) /* a pause that an HTTP server asks for */
#define PINS_MAX 8u                                /* public keys that the manager may have */
#define SECRET_FILE_MAX ((size_t)4096)             /* user and password for a proxy */
#define CONSOLE_LINES_MAX 100u                     /* that wait for the connection */

/* JSON: what json-c may take in memory for the values of one text */
#define JSON_MEMORY_MAX ((uint64_t)4 * MESSAGE_SIZE_MAX)
#define JSON_SMALL_MEMORY ((uint64_t)512 * 1024)   /* of a handshake, or of what a job says */
#define JSON_ENVELOPE_MEMORY ((uint64_t)64 * 1024) /* of a message around a part of it ... */
#define JSON_ENVELOPE_DEPTH 1u                     /* ... and its levels */

/* requests */
#define REQUESTS_OPEN_MAX 10000u
#define REQUESTS_LISTED_MAX 10000u /* by one call */
#define JOBS_LISTED_MAX 10000u
#define ERROR_MESSAGE_MAX ((size_t)1024)

/* jobs */
#define SCRIPT_SIZE_MAX ((size_t)16 * 1024 * 1024) /* after decompression */
#define JOB_ARGUMENTS_MAX 256u
#define JOB_ARGUMENTS_SIZE_MAX ((size_t)128 * 1024) /* all together */
/* kept of each stream, half of it the beginning, half the end: what the policy may say */
#define JOB_OUTPUT_MIN ((uint64_t)128 * 1024)
#define JOB_OUTPUT_DEFAULT ((uint64_t)1024 * 1024)
#define JOB_OUTPUT_MAX ((uint64_t)1024 * 1024 * 1024)
/* told of either stream in a reply: what agent.conf may say */
#define REPLY_OUTPUT_DEFAULT ((uint64_t)1024 * 1024)
#define REPLY_OUTPUT_MAX ((uint64_t)3 * 1024 * 1024)
/* of either stream in a reply, as JSON: two and the rest make a message */
#define REPLY_STREAM_MAX ((size_t)3584 * 1024)
#define OUTPUT_PIECE_MAX ((size_t)1024 * 1024) /* of one get_job_output */
#define EXIT_RECORD_MAX ((size_t)4096)
#define REMOVE_GUIDS_MAX 1024u   /* of one call of Remove */
#define KEPT_UNITS_MAX 256u      /* in which processes live on, and whose end is waited for */
#define EXECUTOR_CALLS_MAX 1024u /* unanswered at a time */
#define UNIT_START_USEC_MAX (90 * USEC_PER_SEC) /* systemd may be reloading */
#define INTERPRETER_SIZE_MAX ((size_t)256)
#define COMMAND_FILES_MAX 256u /* commands of the administrator's own */
#define COMMAND_FILE_NAME_MAX ((size_t)64)
#define COMMAND_ARGUMENTS_MAX 32u
#define COMMAND_INCLUDES_DEPTH_MAX 4u /* parts of parts of a command */
#define COMMAND_SECRETS_MAX 8u        /* of them as files: dbus-daemon takes 16 in a message */
#define JOB_USER_NAME_MAX 31u         /* of the user of a command, as useradd has it */
#define JOB_INPUT_MAX ((size_t)8 * 1024 * 1024)   /* on a job's standard input */
#define JOB_SECRETS_SIZE_MAX ((size_t)768 * 1024) /* all together; systemd takes 1 MiB */
#define JOB_LINE_MAX ((size_t)8192)               /* of a job's line for the console */
#define JOB_LINES_MAX 50u                   /* of a job's files, and of its calls, in a second */
#define JOB_READ_MAX ((uint64_t)512 * 1024) /* of a job's file, looked at in one go */
#define JOB_LINES_BEHIND_MAX ((uint64_t)64 * 1024) /* that are told later; older ones are not */
#define JOB_PROGRESS_SIZE ((size_t)256)
#define FILE_WATCH_LOOKS_MAX 5u /* at what jobs write, in a tenth of a second */
#define VARLINK_MESSAGE_MAX ((size_t)64 * 1024)
#define VARLINK_ANSWER_MAX ((size_t)4096) /* that a job reads */
#define VARLINK_CONNECTIONS_MAX 128u
#define VARLINK_CONNECTIONS_OF_USER_MAX 32u
#define CANCEL_GRACE_USEC_MAX (90 * USEC_PER_SEC)

/* downloads */
#define FETCH_URL_MAX ((size_t)8 * 1024)
#define FETCH_CERTIFICATE_MAX ((size_t)64 * 1024) /* what ssl_cert may have */
#define FETCH_ORDER_MAX ((size_t)80 * 1024)       /* both, and what is around them */
#define FETCH_REDIRECTS_MAX 5
#define FETCH_TIME_USEC_MAX (1800 * USEC_PER_SEC) /* of one download */
#define FETCH_MEMORY_MAX ((uint64_t)128 * 1024 * 1024)
#define FETCH_TASKS_MAX 8u /* name resolution has threads */

/* alerts */
#define ALERT_TEXT_MAX ((size_t)64 * 1024)     /* of one in the alert file; the rest is left out */
#define ALERT_PIECE_MAX ((size_t)256 * 1024)   /* of the alert file, read and stored at once */
#define ALERT_FILES_SEARCHED_MAX 65536u        /* names, for one that was rotated away */
#define ALERT_FILES_BETWEEN_MAX 64u            /* rotated away since the last read, and read now */
#define ALERTS_IN_FLIGHT_MAX 64u               /* sent and not acknowledged */
#define ALERTS_WAITING_MAX ((uint64_t)1000000) /* stored for the manager; more are not taken */
#define ALERTS_WAITING_SIZE_MAX ((uint64_t)1 << 30) /* the same, in bytes */
#define ALERTS_KEPT_MAX ((uint64_t)100000) /* acknowledged, or never to be sent; the newest */
#define ALERTS_KEPT_SIZE_MAX ((uint64_t)256 * 1024 * 1024)
#define ALERTS_KEPT_USEC_MAX (30 * 86400 * USEC_PER_SEC)
#define ALERT_LISTED_MAX ((size_t)8 * 1024) /* of each text of one that is listed */
#define ALERTS_LISTED_MAX 1000u             /* by one call */

/* identity from the cloud */
#define CLOUD_CONNECT_USEC (2 * USEC_PER_SEC)
#define CLOUD_TIME_USEC (10 * USEC_PER_SEC) /* for all questions together */
#define CLOUD_WAIT_USEC (12 * USEC_PER_SEC) /* that the agent waits for the answer */
#define CLOUD_BODY_MAX ((size_t)64 * 1024)  /* of one answer of a metadata service */
#define CLOUD_SCRIPT_MAX ((size_t)1024 * 1024)
#define CLOUD_VALUE_MAX ((size_t)1024)
#define CLOUD_ADDRESSES_MAX 16u
#define CLOUD_ANSWER_MAX ((size_t)16 * 1024) /* of dcm-cloud */
#define LEASE_FILE_MAX ((size_t)256 * 1024)

/* health */
#define STATS_MAX 128u         /* definitions that the manager may make */
#define STAT_INTERVALS_MAX 16u /* different ones of these */
#define STAT_NAME_MAX ((size_t)256)
#define STAT_HOLD_MAX 10000u /* samples of one */
#define STAT_INTERVAL_USEC_MIN ((uint64_t)100000)
#define STAT_INTERVAL_USEC_MAX (86400 * USEC_PER_SEC)
#define STAT_SAMPLES_SIZE_MAX                                                                      \
    ((size_t)16 * 1024 * 1024) /* of all: one more takes the oldest's place */
#define STAT_REPLY_SIZE_MAX ((size_t)3 * 1024 * 1024)    /* samples of one reply, the newest */
#define STAT_REPLY_MEMORY_MAX ((size_t)24 * 1024 * 1024) /* of their receiver */
#define HEALTH_DISKS_MAX 1024u                           /* with their partitions */
#define HEALTH_INTERFACES_MAX 4096u
#define HEALTH_MOUNTS_MAX 16384u
#define HEALTH_FILE_SYSTEMS_MAX 256u
#define HEALTH_SENSORS_MAX 128u
#define METRICS_REQUEST_MAX ((size_t)8192) /* head of a collector's question */
#define METRICS_REQUEST_USEC (5 * USEC_PER_SEC)
#define METRICS_BUS_USEC (2 * USEC_PER_SEC) /* for an answer of the agent */
#define ALERT_RULES_MAX 64u
#define ALERT_RULE_NAME_MAX ((size_t)48)
#define ALERT_RULE_MESSAGE_MAX ((size_t)256)
#define ALERT_INTERVAL_USEC_DEFAULT (10 * USEC_PER_SEC)
#define ALERT_LEVEL_DEFAULT 7
#define ALERT_VALUES_MAX 4096u          /* that all rules watch, each row counted */
#define HEALTH_WATCHERS_MAX 64u         /* programs that have subscribed */
#define HEALTH_SAMPLES_LISTED_MAX 1000u /* of each series, by one call */
#define HEALTH_ANSWER_SIZE_MAX ((size_t)4 * 1024 * 1024) /* about, of one answer on D-Bus */
#define HEALTH_FAILED_UNITS_MAX 64u                      /* that are named; all are counted */

/* files */
#define CONFIG_FILE_MAX ((size_t)256 * 1024)
#define INI_LINE_MAX ((size_t)64 * 1024)               /* of such a file, without its end */
#define CERTIFICATE_FILE_MAX ((size_t)4 * 1024 * 1024) /* looked at for changes */
#define PROC_FILE_MAX ((size_t)1024 * 1024)
