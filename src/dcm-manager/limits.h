/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound on what agents and control clients may make the manager hold, and the defaults of
 * options. */
#pragma once

#include "basic/bounds.h"

/* agents and their connections */
#define AGENTS_MAX 100000u
#define AGENTS_UNUSED_MAX 10000u /* disconnected, never named and never given an order */
#define SESSIONS_MAX 65536u      /* less if RLIMIT_NOFILE is lower */
/* Descriptors for all else: control clients, sockets that are listened on, the database (3), the
 * journal, and what the event loop has; of a low limit no more than a quarter. */
#define DESCRIPTORS_RESERVED (CONTROL_CLIENTS_MAX + 64u)
#define WAITING_MAX 10000u                    /* agents that wait for an operator */
#define WAITING_EVICTED_AT_ONCE 64u           /* when there are more */
#define WAITING_ADDRESSES_MAX 8u              /* of each kind that are kept of one ... */
#define WAITING_ADDRESS_SIZE_MAX ((size_t)64) /* ... if they are no longer */
#define FINGERPRINT_MIN 16                    /* hex digits that name one: 64 bits */
/* enrolment tokens */
#define ENROLMENT_TOKENS_MAX 1000u
#define ENROLMENT_USES_MAX 1000000
#define ENROLMENT_EXPIRES_MAX_USEC (3660 * 24 * 3600 * USEC_PER_SEC)
#define GUESSES_USEC (60 * USEC_PER_SEC) /* in this time wrong tokens ... */
#define GUESSES_OF_ADDRESS_MAX 10u       /* ... of one address, and ... */
#define GUESSES_MAX 600u                 /* ... of all; then an address has one only */
#define STRANGERS_SAID 10u               /* lines of the log of each kind in ... */
#define STRANGERS_SAID_USEC (10 * USEC_PER_SEC)
#define EVICTED_SAID_USEC (600 * USEC_PER_SEC)
/* Connections that are not identified yet; at most an eighth of all for each kind. */
#define SESSIONS_WAITING_MAX 2048u          /* accepted, not read from */
#define SESSIONS_QUEUE_MAX 16384u           /* the same, in the room that agents leave */
#define QUEUE_USEC (20 * USEC_PER_SEC)      /* agents give up a handshake after 30 s */
#define SESSIONS_SHAKING_MAX 512u           /* in the handshake ... */
#define SESSIONS_CLOSING_MAX 1024u          /* being closed */
#define SHAKING_OF_ADDRESS(all) ((all) / 2) /* ... from one address */
#define SILENCE_USEC (2 * USEC_PER_SEC)     /* a connection silent for so long, or ... */
#define SHAKING_PATIENCE_USEC                                                                      \
    (10 * USEC_PER_SEC)                      /* ... older than this, may be dropped for another */
#define SHAKING_LOOK_USEC (USEC_PER_SEC / 4) /* between two searches for such a one */
/* Eighths of the room for connected agents that newly registered agents may fill, and agents that
 * are neither named nor given an order. */
#define EIGHTHS_FOR_NEW 6u
#define EIGHTHS_FOR_UNUSED 7u
#define OFFER_SIZE_MAX ((size_t)64 * 1024) /* also of any message before the acceptance */
#define OFFER_ADDRESSES_MAX 64u
#define CLOSE_WAIT_USEC (5 * USEC_PER_SEC) /* for the peer's close frame */
#define LINGER_USEC (2 * USEC_PER_SEC)     /* for the peer to read the reason of the close */
#define LINGER_SIZE_MAX ((size_t)64 * 1024 * 1024)
#define TAKEOVERS_MAX 3u                   /* of one token's connection within ... */
#define TAKEOVERS_USEC (60 * USEC_PER_SEC) /* ... this time; then a probe precedes the next one */
#define PROBE_USEC (3 * USEC_PER_SEC)      /* for an older connection to answer */

/* the end of the manager; less than TimeoutStopSec= of its unit */
#define FAREWELLS_AT_ONCE 64u            /* then other event sources take their turn */
#define FAREWELL_USEC (9 * USEC_PER_SEC) /* then it ends whoever has not answered */

#define UNFIT_USEC (30 * USEC_PER_SEC) /* after a failure of the database /health says 503 */

/* a drain */
#define DRAIN_MAX_SEC (24.0 * 3600)
#define DRAIN_STEP_USEC (USEC_PER_SEC / 10) /* between two groups of agents */

/* of incomplete messages of all connections together; see ReceiveBudget */
#define RECEIVE_SIZE_MAX ((size_t)256 * 1024 * 1024)

/* requests */
#define REQUESTS_OPEN_PER_AGENT_MAX REQUESTS_OPEN_MAX
#define PAYLOAD_SIZE_MAX (MESSAGE_SIZE_MAX - (size_t)16 * 1024) /* fits in a message */
#define QUESTIONS_MAX 16u /* pending STATUS queries to one agent */
#define RETRANSMIT_MAX_USEC (60 * USEC_PER_SEC)
#define REQUESTS_KEPT 1000000                /* the newest, and all open ones */
#define REQUESTS_COUNTED_MAX INT64_C(100000) /* for the metrics */
#define EXPIRED_AT_ONCE 256u                 /* looked at in one turn of the loop */
#define EXPIRE_EVERY_USEC (60 * USEC_PER_SEC)

/* of each agent, the newest */
#define LOG_LINES_MAX 10000u
#define ALERTS_MAX 10000u
#define LOG_SIZE_MAX ((size_t)16 * 1024 * 1024)
#define ALERTS_SIZE_MAX ((size_t)16 * 1024 * 1024)
#define ALERT_SIZE_MAX ((size_t)512 * 1024)      /* a larger one is shortened: */
#define ALERT_SHORT_TEXT_MAX ((size_t)16 * 1024) /* each of its texts */
#define TRIM_EVERY 256u                 /* lines and alerts of a connection between trims */
#define TRIM_SIZE ((size_t)1024 * 1024) /* the same in bytes */
/* of all agents together: removes the oldest of the agent with the most data */
#define KEPT_SIZE_MAX ((int64_t)4 << 30)

/* control socket */
#define CONTROL_CLIENTS_MAX 256u
#define CONTROL_LINES_AT_ONCE 64u             /* of one client, then others take their turn; ... */
#define CONTROL_TURN_USEC (5 * USEC_PER_MSEC) /* ... also after this time */
#define CONTROL_ROWS_AT_ONCE 500u             /* in an answer; the client asks for the next ones */
#define CONTROL_ORDERS_AT_ONCE 64u /* agents of one order in a turn; the client asks again */
#define TARGET_SIZE_MAX ((size_t)1024)
#define CONTROL_LINE_MAX (2 * MESSAGE_SIZE_MAX)
#define CONTROL_OUTPUT_MAX (4 * MESSAGE_SIZE_MAX)
#define CONTROL_LOG_LINES_MAX 10000
#define CONTROL_LOG_SIZE_MAX ((int64_t)MESSAGE_SIZE_MAX)

/* defaults of options */
#define LISTEN_DEFAULT "127.0.0.1:8443"
#define CONTROL_DEFAULT "/run/dcm-manager/control"
#define STATE_DIRECTORY_DEFAULT "/var/lib/dcm-manager"
#define MANAGER_CONFDIR "/etc/dcm-manager"
#define MANAGER_CONFIG MANAGER_CONFDIR "/dcm-manager.conf"
#define ENROLMENT_EXPIRES_DEFAULT_USEC (3600 * USEC_PER_SEC)
#define PING_DEFAULT_SEC 30.0
#define RETRANSMIT_DEFAULT_SEC 5.0
#define HANDSHAKE_DEFAULT_SEC 60.0
#define RETURN_DEFAULT_SEC 60.0
#define DRAIN_DEFAULT_SEC 60.0
