/* SPDX-License-Identifier: Apache-2.0 */
/* All names of journal fields and all message ids. units/dcm-agent.catalog explains each id, and a
 * test compares the two. Users search by `journalctl MESSAGE_ID=...`; never change an id's
 * meaning. */
#pragma once

/* clang-format off */
#define LOG_REQUEST(guid) { "DCM_REQUEST_ID", (guid) }
#define LOG_COMMAND(name) { "DCM_COMMAND", (name) }
#define LOG_AGENT_ID(id) { "DCM_AGENT_ID", (id) }
#define LOG_STATE(state) { "DCM_STATE", (state) }
#define LOG_UNIT(unit) { "DCM_UNIT", (unit) }
#define LOG_RETURN_CODE(code) { "DCM_RETURN_CODE", (code) }
#define LOG_STEP(step) { "DCM_FAILED_STEP", (step) }
#define LOG_ID(id) { "MESSAGE_ID", (id) }

#define DCM_MESSAGE_STARTED                       "c1df7202630843d3930930584041ea5b" /* the agent has started */
#define DCM_MESSAGE_STOPPING                      "8365fbad393d4c73ad7b23c354c2e70d" /* the agent is stopping */
#define DCM_MESSAGE_CONNECTED                     "a2ac25dac73942d6a2cc7297ce2665df" /* the manager accepted the handshake */
#define DCM_MESSAGE_CONNECTION_FAILED             "e787d166cf894554b2692e1ac0569dc2" /* no connection; gives cause and remedy */
#define DCM_MESSAGE_CONNECTION_LOST               "373fd148e0d14f208b0a8c75ee0d9afc" /* an open connection ended */
#define DCM_MESSAGE_NOT_CONFIGURED                "469be143d6034ac1adea9f1588d4d21b" /* no agentmanager_url */
#define DCM_MESSAGE_REQUEST_ACCEPTED              "935057ae2e6e48d2a93beab946e94950" /* stored durably and acknowledged */
#define DCM_MESSAGE_REQUEST_REFUSED               "8d8a3ff6b48349bd8d3873ec32677801" /* answered with a NACK */
#define DCM_MESSAGE_REQUEST_REPLIED               "f613c655a56841a89beb2a25f1bc112c" /* the reply is stored durably */
#define DCM_MESSAGE_REQUEST_ACKNOWLEDGED          "5bfa923e378e44bcbaced890a6234e8b" /* the manager has the reply */
#define DCM_MESSAGE_JOB_STARTED                   "0512afa6845d4bd59adbb1d09215978f" /* systemd started a transient unit */
#define DCM_MESSAGE_JOB_ENDED                     "c145a061a7fd44478199e8580881291a" /* a job's main process has ended */
#define DCM_MESSAGE_JOB_LOST                      "7e73c0e14314497199d2c7342b1923e9" /* a job's result is unknown for ever */
#define DCM_MESSAGE_STORE_FAILED                  "41510ac215a848a09372674dce9894ff" /* the store cannot be read or written */
#define DCM_MESSAGE_AGENT_ID_CHANGED              "2e8c043f93b14de59b20614fe2ea3b7c" /* the manager assigned another agent id */
#define DCM_MESSAGE_CONFIGURATION_INVALID         "7b78cb2bcffb4968b4c83e985c8ae82b" /* the agent ignored a configuration value */
#define DCM_MESSAGE_RELOAD_FAILED                 "f58090e87f81459db03342c197b030bf" /* the previous configuration stays in force */
#define DCM_MESSAGE_CERTIFICATE_CHECK_OFF         "474cece40e9d4732a213cb5eac2a5e7e" /* allow_unknown_certs is set */
#define DCM_MESSAGE_HEMLOCK                       "06caf09024c247c9b0a387f3da50ab01" /* the manager ordered the agent to stop */
#define DCM_MESSAGE_POLICY_REFUSED                "b6d3ed1e8e864df59f9d23bdc51e4d54" /* the owner's policy forbids a job */
#define DCM_MESSAGE_PAUSE_CHANGED                 "4e0b1c6f8a3d4c7f9b62a4d15c1e7f03" /* the owner paused or resumed the agent */
#define DCM_MESSAGE_COMMAND_BROKEN                "7d0c3b0de4b94f3c9a9e5a1c2e8f6b14" /* a file of commands.d is invalid */
#define DCM_MESSAGE_TERMINATING                   "f4b5d3b0c8e34b0f8d1f3f4b7a6c2e59" /* the manager ordered the agent to stop for good */
#define DCM_MESSAGE_ALERT_RAISED                  "69c04d820955418db346ff65fe504a3c" /* a rule of alerts.conf applies */
#define DCM_MESSAGE_ALERT_CLEARED                 "831df120c9774e97bc3f5b324c69b313" /* a rule of alerts.conf does not apply any more */
#define DCM_MESSAGE_CLOUD_IDENTITY                "8f34578a39244f89819ebe4b46997e22" /* the cloud knows this server */
#define DCM_MESSAGE_CLOUD_PROBLEM                 "d13c860bb33b4548b6430cc698113a54" /* the cloud reported less than it could */
#define DCM_MESSAGE_TOKEN_REPLACED                "1198ef5ed0614d4a836a731a4d9b8759" /* the agent made a new token */
#define DCM_MESSAGE_ALERTS_FULL                   "cd241565e0e641dba50c71d3ac38e608" /* too many alerts wait for the manager */
#define DCM_MESSAGE_ALERT_FILE                    "b7bde1dbb7f94b18825cd8487056c674" /* the alert file cannot be read completely */
#define DCM_MESSAGE_LOG_LOST                      "499a0136e933423aacb5194693fdcae3" /* entries that the journal did not accept */
/* clang-format on */
