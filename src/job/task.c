/* SPDX-License-Identifier: Apache-2.0 */
#include "job/task.h"

#include "basic/time-util.h"
#include "store/output-row.h"

int task_init(Task *t, const char *guid, const char *command) {
    t->guid = strdup(guid);
    t->command = strdup(command);
    t->accepted_usec = now_usec(CLOCK_REALTIME);
    return t->guid && t->command ? 0 : -ENOMEM;
}

void task_done(Task *t) {
    assert(!t->execution);
    t->definition = command_unref(t->definition);
    effect_done(&t->effect);
    (void)json_object_put(t->payload);
    free(t->guid);
    free(t->command);
}

int task_store_end(const Task *t, Store *s, const char *agent_id) {
    int r = 0;

    if (t->has_output)
        r = store_add_output(s, t->guid, t->output_bytes);
    return r < 0 ? r : effect_store(&t->effect, s, t->guid, agent_id);
}
