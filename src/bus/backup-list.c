/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/backup-list.h"

#include <fcntl.h>
#include <unistd.h>

#include "backup/series-state.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"

static int append_series(sd_bus_message *m, const SeriesState *s) {
    return sd_bus_message_append(m, "(ssttssttutst)", s->name, series_outcome_names[s->outcome],
                                 s->begin_usec, s->end_usec, strempty(s->error),
                                 strempty(s->object), s->success_usec, s->size_bytes, s->copies,
                                 s->verified_usec, strempty(s->schedule), s->due_usec);
}

/* Reads the file when somebody asks. */
int bus_method_list_backups(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    _cleanup_(series_states_done) SeriesStates states = {};
    _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (root_fd < 0)
        return -errno;
    TRY(series_states_read(root_fd, &states));
    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(sd_bus_message_open_container(reply, 'a', "(ssttssttutst)"));
    for (size_t i = 0; i < states.n; i++)
        TRY(append_series(reply, &states.series[i]));
    TRY(sd_bus_message_close_container(reply));
    return sd_bus_send(NULL, reply, NULL);
}
