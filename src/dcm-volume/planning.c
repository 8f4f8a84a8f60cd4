/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/planning.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/array.h"
#include "dcm-volume/look.h"
#include "dcm-volume/packages.h"
#include "dcm-volume/record.h"
#include "volume/refuse.h"

#define RECORDS_MAX 10000u
#define BAD_RECORD                                                                                 \
    "The record " RECORD_DIRECTORY                                                                 \
    "/%s is damaged, or of a newer version: it cannot be told which "                              \
    "disks it is about"
#define INSTALLS_MAX 8u /* programs that one plan needs */

typedef struct Records {
    Plan *plans;
    size_t n, allocated;
} Records;

static void records_done(Records *r) {
    for (size_t i = 0; i < r->n; i++)
        plan_done(&r->plans[i]);
    free(r->plans);
}

static int add_record(const Plan *p, void *userdata) {
    Records *r = userdata;

    TRY(array_reserve(&r->plans, &r->allocated, r->n + 1, RECORDS_MAX));
    TRY(fields_copy(&plan_table, p, &r->plans[r->n]));
    r->n++;
    return 0;
}

static const Block *find_by_link(const Facts *f, const char *path) {
    const char *name = strncmp(path, "/dev/", 5) == 0 ? path + 5 : path;

    for (size_t i = 0; i < f->n_blocks; i++) {
        const Block *b = &f->blocks[i];

        if (streq(b->name, name))
            return b;
        for (char *const *l = b->links; l && *l; l++)
            if (streq(*l, name))
                return b;
    }
    return NULL;
}

/* A step is done with the path: it must lead to the device that was looked at. udev makes a link
 * anew when a second device asks for the same name. */
static int check_path(const Facts *f, const char *path, Refusal *ret) {
    const Block *b = find_by_link(f, path);
    struct stat st;
    int n;

    if (!b || stat(path, &st) < 0)
        return 0; /* it will be made, or the step fails */
    if (S_ISBLK(st.st_mode) && st.st_rdev == makedev(b->major, b->minor))
        return 0;
    refusal_done(ret);
    ret->code = strdup("ambiguous");
    n = asprintf(&ret->text,
                 "%s leads to another device than %s, to which it belongs: who has changed the "
                 "link? See udevadm(8), trigger",
                 path, b->name);
    if (n < 0)
        ret->text = NULL;
    return n < 0 || !ret->code ? -ENOMEM : 1;
}

static int check_paths(const Facts *f, const Plan *p, Refusal *ret) {
    int r = 0;

    for (size_t i = 0; r == 0 && i < p->n_steps; i++)
        for (char *const *d = p->steps[i].devices; r == 0 && d && *d; d++)
            r = check_path(f, *d, ret);
    return r;
}

/* Whoever writes to disks must know what others have begun to write. */
static int refuse_record(const char *name, Refusal *ret) {
    return refuse(ret, "bad-record",
                  BAD_RECORD ". Restore it, or remove it if no mount_volume was cut off", name);
}

static int make(const char *place, PlanFunction function, void *userdata, bool is_new, Plan *ret,
                Refusal *ret_refusal) {
    _cleanup_(records_done) Records records = {};
    _cleanup_(facts_done) Facts f = {};
    _cleanup_free_ char *bad = NULL;
    int r;

    TRY(record_visit(RECORD_DIRECTORY, add_record, &records, &bad));
    if (bad && is_new)
        return refuse_record(bad, ret_refusal);
    TRY(look_gather(bad ? NULL : place, &f));
    r = function(&f, records.plans, records.n, userdata, ret, ret_refusal);
    if (r != 0)
        return r;
    if (bad)
        TRY(text_add(&ret->notes, BAD_RECORD ". It is left out", bad));
    r = check_paths(&f, ret, ret_refusal);
    if (r != 0)
        plan_done(ret);
    return r;
}

static int reply_refusal(const Refusal *refusal, const char *advice, Reply *reply) {
    _cleanup_free_ char *text = NULL;

    if (asprintf(&text, "%s%s%s", refusal->text, advice ? ". " : "", strempty(advice)) < 0)
        return -ENOMEM;
    TRY(reply_set_error(reply, REPLY_REFUSED, refusal->code, text));
    return 1;
}

/* 1: try again. */
static int supply(const Refusal *refusal, bool dry_run, Reply *reply) {
    _cleanup_free_ char *advice = NULL;
    int r;

    if (!refusal->program || dry_run)
        return reply_refusal(refusal, NULL, reply) < 0 ? -ENOMEM : 0;
    r = packages_install(refusal->program, &advice);
    if (r != 0)
        return r;
    return reply_refusal(refusal, advice, reply) < 0 ? -ENOMEM : 0;
}

int planning_make(const char *place, PlanFunction function, void *userdata, PlanningFlags flags,
                  Plan *ret, Reply *reply) {
    for (unsigned i = 0; i <= INSTALLS_MAX; i++) {
        _cleanup_(refusal_done) Refusal refusal = {};
        int r;

        r = make(place, function, userdata, flags & PLANNING_NEW, ret, &refusal);
        if (r != 1)
            return r;
        r = supply(&refusal, flags & PLANNING_DRY_RUN, reply);
        if (r <= 0)
            return r < 0 ? r : 1;
    }
    TRY(reply_set_error(reply, REPLY_FAILED, "missing-program",
                        "A program is missing though its package was installed"));
    return 1;
}

int planning_reply(const Plan *p, Reply *reply) {
    TRY(plan_to_json(p, &reply->object));
    reply->reply_type = "volume_plan";
    return 0;
}

int planning_add_notes(const Plan *p, Reply *reply) {
    for (char **n = p->notes; n && *n; n++)
        TRY(reply_add_line(reply, *n));
    return 0;
}
