/* SPDX-License-Identifier: Apache-2.0 */
/* Methods Remove and DropOutput: ListUnitsByNames ─▶ for each GUID
 *
 *     unit not loaded, no start pending ─▶ remove the directory, or the output in it
 *     unit ended, not released          ─▶ release it; the next call does the rest
 *     anything else                     ─▶ nothing
 *
 * Without its directory a GUID could run again: the caller decides whether the request has expired,
 * and whether the output is still wanted. */
#include "dcm-executord/remove.h"

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "dcm-executord/errors.h"
#include "dcm-executord/job-dir.h"
#include "dcm-executord/secrets.h"
#include "dcm-executord/start.h"
#include "dcm-executord/stop.h"
#include "dcm-executord/systemd.h"

typedef struct RemoveOperation {
    Executord *manager;
    sd_bus_message *call;
    char **guids;
    bool output_only;
} RemoveOperation;

typedef enum UnitPhase { UNIT_ABSENT, UNIT_ENDED, UNIT_AT_WORK } UnitPhase;

static RemoveOperation *remove_operation_free(RemoveOperation *o) {
    if (!o)
        return NULL;
    executord_end(o->manager);
    sd_bus_message_unref(o->call);
    strv_free(o->guids);
    free(o);
    return NULL;
}
DEFINE_CLEANUP(RemoveOperation *, remove_operation_free)

static UnitPhase phase_of(const char *load, const char *active, const char *sub) {
    if (streq(active, "inactive") && !streq(load, "loaded"))
        return UNIT_ABSENT;
    return streq(active, "failed") || streq(sub, "exited") ? UNIT_ENDED : UNIT_AT_WORK;
}

static const char *guid_of_unit(char *const *guids, const char *unit) {
    for (char *const *g = guids; *g; g++) {
        char name[JOB_UNIT_SIZE];

        guid_to_unit_name(*g, name);
        if (streq(name, unit))
            return *g;
    }
    return NULL;
}

static void remove_directory(Executord *m, const char *guid, bool output_only) {
    _cleanup_(job_dir_done) JobDir d = JOB_DIR_INIT;
    int r;

    r = job_dir_open(m->state_fd, guid, &d);
    if (r >= 0)
        r = output_only ? job_dir_drop_output(&d) : job_dir_remove(&d, 0);
    secrets_drop(d.name);
    if (r < 0 && r != -ENOENT)
        (void)log_struct(LOG_WARNING, r, LOG_FIELDS(LOG_REQUEST(guid)),
                         "The %s of an old job cannot be removed: %m",
                         output_only ? "output" : "directory");
}

static int on_units(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    _cleanup_(remove_operation_freep) RemoveOperation *o = userdata;
    const char *unit, *load, *active, *sub, *guid;
    int r;

    if (sd_bus_message_is_method_error(reply, NULL))
        return sd_bus_reply_method_error(o->call, sd_bus_message_get_error(reply));
    r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
    while (r >= 0 && (r = sd_bus_message_read(reply, "(ssssssouso)", &unit, NULL, &load, &active,
                                              &sub, NULL, NULL, NULL, NULL, NULL)) > 0) {
        UnitPhase phase = phase_of(load, active, sub);

        guid = guid_of_unit(o->guids, unit);
        if (phase == UNIT_ENDED)
            stop_release(o->manager, unit);
        else if (phase == UNIT_ABSENT && guid && !job_is_starting(o->manager, guid))
            remove_directory(o->manager, guid, o->output_only);
    }
    if (r < 0)
        return sd_bus_reply_method_errno(o->call, r, NULL);
    return sd_bus_reply_method_return(o->call, NULL);
}

static int check_guids(char *const *guids, sd_bus_error *error) {
    size_t n = 0;

    for (char *const *g = guids; g && *g; g++)
        if (++n > REMOVE_GUIDS_MAX || !guid_is_valid(*g))
            return sd_bus_error_setf(error, ERROR_INVALID_ARGUMENT,
                                     "Not a list of at most %u GUIDs", REMOVE_GUIDS_MAX);
    return 0;
}

static int call_systemd(RemoveOperation *o) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(sd_bus_message_new_method_call(o->manager->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH,
                                       SYSTEMD_INTERFACE, "ListUnitsByNames"));
    TRY(sd_bus_message_open_container(m, 'a', "s"));
    for (char **g = o->guids; g && *g; g++) {
        char unit[JOB_UNIT_SIZE];

        guid_to_unit_name(*g, unit);
        TRY(sd_bus_message_append(m, "s", unit));
    }
    TRY(sd_bus_message_close_container(m));
    return sd_bus_call_async(o->manager->bus, NULL, m, on_units, o, 0);
}

static int begin(Executord *m, sd_bus_message *message, bool output_only, sd_bus_error *error) {
    _cleanup_(remove_operation_freep) RemoveOperation *o = executord_begin(m, sizeof(*o), error);

    if (!o)
        return -EBUSY;
    *o = (RemoveOperation){
        .manager = m, .call = sd_bus_message_ref(message), .output_only = output_only};
    TRY(sd_bus_message_read_strv(message, &o->guids));
    TRY(check_guids(o->guids, error));
    TRY(call_systemd(o));
    TAKE_PTR(o); /* on_units() owns it */
    return 1;
}

int serve_remove(Executord *m, sd_bus_message *message, sd_bus_error *error) {
    return begin(m, message, false, error);
}

int serve_drop_output(Executord *m, sd_bus_message *message, sd_bus_error *error) {
    return begin(m, message, true, error);
}
