/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pause.h"

#include "basic/log-fields.h"
#include "basic/log.h"

static const char *const names[_AGENT_PAUSE_MAX] = {
    [AGENT_RUNS] = "",
    [AGENT_PAUSED] = "waiting",
    [AGENT_REFUSING] = "refusing",
};

const char *agent_pause_to_string(AgentPause p) {
    return names[p];
}

AgentPause agent_pause_from_string(const char *text) {
    for (AgentPause p = AGENT_RUNS; text && p < _AGENT_PAUSE_MAX; p++)
        if (streq(text, names[p]))
            return p;
    return AGENT_RUNS;
}

int agent_pause_load(Store *s, AgentPause *ret) {
    _cleanup_free_ char *text = NULL;
    const int r = store_get_meta(s, STORE_META_PAUSE, &text);

    if (r < 0)
        return log_error_errno(r, "The store cannot be read: %m");
    *ret = agent_pause_from_string(text);
    return 0;
}

void agent_pause_announce(AgentPause p, Console *console) {
    static const char *const lines[_AGENT_PAUSE_MAX] = {
        [AGENT_RUNS] = "Resumed: new jobs start again",
        [AGENT_PAUSED] = "Paused, as ordered on this machine: new jobs wait",
        [AGENT_REFUSING] = "Paused, as ordered on this machine: new jobs are refused",
    };

    (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_PAUSE_CHANGED)), "%s", lines[p]);
    console_log(console, LOG_WARNING, "The owner of this server has %s it.",
                p == AGENT_RUNS ? "resumed" : "paused");
}

void agent_pause_remind(AgentPause p, Console *console) {
    if (p != AGENT_RUNS)
        console_log(console, LOG_WARNING, "The owner of this server has paused it: new jobs %s.",
                    p == AGENT_PAUSED ? "wait" : "are refused");
}
