/* SPDX-License-Identifier: Apache-2.0 */
/* Method Fetch: check ─▶ StartTransientUnit ─▶ answer. It makes nothing durable and keeps no state:
 * the unit ends when the download is complete, when its status pipe has no reader any more, or when
 * its time limit expires. While a unit of the GUID exists, a second one is refused. */
#include "dcm-executord/fetch.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/guid.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "dcm-executord/admission.h"
#include "dcm-executord/errors.h"
#include "dcm-executord/fetch-properties.h"
#include "dcm-executord/options.h"
#include "dcm-executord/transient-unit.h"

typedef struct FetchOperation {
    Executord *manager;
    sd_bus_message *call; /* owns strings and descriptors of `request` */
    FetchRequest request;
    char unit[FETCH_UNIT_SIZE];
} FetchOperation;

static FetchOperation *fetch_operation_free(FetchOperation *o) {
    if (!o)
        return NULL;
    sd_bus_message_unref(o->call);
    executord_end(o->manager);
    free(o);
    return NULL;
}
DEFINE_CLEANUP(FetchOperation *, fetch_operation_free)

static int read_option(sd_bus_message *m, const char *name, void *userdata, sd_bus_error *error) {
    FetchRequest *q = userdata;
    bool *flag = streq(name, "as-root") ? &q->as_root : streq(name, "network") ? &q->network : NULL;
    int value, r;

    if (!flag)
        return -ENOENT;
    r = sd_bus_message_read(m, "v", "b", &value);
    if (r >= 0)
        *flag = value;
    return r;
}

/* A caller with the agent's rights must not be able to have other files, such as a program or a
 * device, read or written. */
static int check_descriptors(const FetchRequest *q, sd_bus_error *error) {
    const struct {
        int fd, access;
        mode_t type;
    } wanted[] = {{q->order_fd, O_RDWR, S_IFREG},
                  {q->content_fd, O_RDWR, S_IFREG},
                  {q->status_fd, O_WRONLY, S_IFIFO}};

    for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
        struct stat st;

        if (fstat(wanted[i].fd, &st) < 0 || (st.st_mode & S_IFMT) != wanted[i].type ||
            (fcntl(wanted[i].fd, F_GETFL) & O_ACCMODE) != wanted[i].access)
            return sd_bus_error_set(error, ERROR_INVALID_ARGUMENT,
                                    "Order and content must be files, and status a pipe's end");
    }
    return 0;
}

static int check_admission(const FetchRequest *q, sd_bus_error *error) {
    JobRequest job = JOB_REQUEST_INIT;
    int r;

    job.guid = q->guid;
    job.command_name = q->command;
    job.as_root = q->as_root;
    r = admit_fetch(&job, q->network, error);
    job_request_done(&job);
    return r;
}

static int read_request(sd_bus_message *m, FetchRequest *q, sd_bus_error *error) {
    TRY(sd_bus_message_read(m, "sshhh", &q->guid, &q->command, &q->order_fd, &q->content_fd,
                            &q->status_fd));
    TRY(options_read(m, read_option, q, error));
    if (!guid_is_valid(q->guid))
        return sd_bus_error_set(error, ERROR_INVALID_ARGUMENT, "Not a GUID");
    TRY(check_descriptors(q, error));
    return check_admission(q, error);
}

static int on_started(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    _cleanup_(fetch_operation_freep) FetchOperation *o = userdata;
    const sd_bus_error *e = sd_bus_message_get_error(reply);

    if (!e) {
        (void)log_struct(LOG_INFO, 0,
                         LOG_FIELDS(LOG_REQUEST(o->request.guid), LOG_COMMAND(o->request.command),
                                    LOG_UNIT(o->unit)),
                         "Started %s", o->unit);
        (void)sd_bus_reply_method_return(o->call, "s", o->unit);
        return 0;
    }
    transient_unit_refuse(o->call, o->unit, o->request.guid, o->request.command, e,
                          transient_unit_error(e, ERROR_BUSY));
    return 0;
}

static int call_systemd(FetchOperation *o) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    guid_to_fetch_unit_name(o->request.guid, o->unit);
    TRY(transient_unit_new(o->manager->bus, o->unit, &m));
    TRY(fetch_append_properties(m, &o->request));
    return transient_unit_start(m, on_started, o);
}

int serve_fetch(Executord *m, sd_bus_message *message, sd_bus_error *error) {
    _cleanup_(fetch_operation_freep) FetchOperation *o = executord_begin(m, sizeof(*o), error);

    if (!o)
        return -EBUSY;
    o->manager = m;
    o->call = sd_bus_message_ref(message);
    TRY(read_request(message, &o->request, error));
    TRY(call_systemd(o));
    TAKE_PTR(o); /* on_started() owns it */
    return 1;
}
