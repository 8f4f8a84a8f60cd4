/* SPDX-License-Identifier: Apache-2.0 */
/* These commands are not immediate, so that they take effect in order of arrival, after their
 * requests are stored. The Python agent lost its definitions at a restart, and managers define them
 * again: a definition restored from an earlier process may be defined once more. */
#include "commands/stat-commands.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log.h"
#include "commands/facts.h"
#include "proto/message.h"
#include "proto/text.h"
#include "store/stat-row.h"

static int refuse(struct json_object **ret_reply, const char *format, ...) _printf_(2, 3);
static int refuse(struct json_object **ret_reply, const char *format, ...) {
    char text[ERROR_MESSAGE_MAX];
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(text, sizeof(text), format, ap);
    va_end(ap);
    return reply_new_error(text, ret_reply);
}

/* Quotes a name up to the length of a valid one. */
static int refuse_unknown(const char *name, struct json_object **ret_reply) {
    return refuse(ret_reply, "There is no statistic '%.*s'", UTF8_SHORT(name, STAT_NAME_MAX));
}

/* 1: *ret is valid; 0: *ret_reply has the reason. */
static int read_definition(const ArgumentValue *values, StatDefinition *ret,
                           struct json_object **ret_reply) {
    const ArgumentValue *name = &values[INIT_SYSTEM_STAT_NAME];
    const char *type = values[INIT_SYSTEM_STAT_TYPE].string;
    int64_t hold = values[INIT_SYSTEM_STAT_HOLD_COUNT].integer;
    double interval = values[INIT_SYSTEM_STAT_CHECK_INTERVAL].number;

    *ret = (StatDefinition){
        .name = name->string,
        .type = stat_type_find(type),
        .hold = (size_t)hold,
        .owner = STAT_OWNER_MANAGER,
    };
    if (!ret->type)
        return refuse(ret_reply, "The statistic type '%.*s' is not known",
                      UTF8_SHORT(type, COMMAND_NAME_MAX));
    if (name->size == 0 || name->size > STAT_NAME_MAX)
        return refuse(ret_reply, "The argument 'statName' must have 1 to %zu bytes", STAT_NAME_MAX);
    if (hold < 1 || hold > STAT_HOLD_MAX)
        return refuse(ret_reply, "The argument 'holdCount' must be from 1 to %u", STAT_HOLD_MAX);
    if (!(interval * (double)USEC_PER_SEC >= (double)STAT_INTERVAL_USEC_MIN &&
          interval * (double)USEC_PER_SEC <= (double)STAT_INTERVAL_USEC_MAX))
        return refuse(ret_reply, "The argument 'checkInterval' must be from %g to %" PRIu64,
                      (double)STAT_INTERVAL_USEC_MIN / (double)USEC_PER_SEC,
                      STAT_INTERVAL_USEC_MAX / USEC_PER_SEC);
    ret->interval_usec = (uint64_t)(interval * (double)USEC_PER_SEC + 0.5);
    return 1;
}

static bool is_same(const StatDefinition *a, const StatDefinition *b) {
    return a->type == b->type && a->hold == b->hold && a->interval_usec == b->interval_usec;
}

static int add(Health *h, const StatDefinition *d, struct json_object **ret_reply) {
    int r;

    r = health_add(h, d, NULL);
    switch (r) {
    case -EEXIST:
        return refuse(ret_reply, "The statistic '%s' exists already", d->name);
    case -ENOSPC:
        return refuse(ret_reply, "There are %u statistics already", STATS_MAX);
    case -EMLINK:
        return refuse(ret_reply, "There are statistics with %u other intervals already",
                      STAT_INTERVALS_MAX);
    case -ENOBUFS:
        return refuse(ret_reply, "All statistics together may not hold so many samples");
    default:
        return r < 0 ? r : reply_new(0, "void", NULL, NULL, NULL, ret_reply);
    }
}

int init_system_stat_run(const CommandContext *context, const ArgumentValue *values,
                         struct json_object **ret_reply, CommandRun **ret_run) {
    Health *h = context->facts->health;
    StatDefinition d;
    Stat *there;
    int r;

    r = read_definition(values, &d, ret_reply);
    if (r <= 0)
        return r;
    there = health_find(h, d.owner, d.name);
    if (there && stat_take_over(there)) {
        if (is_same(stat_get_definition(there), &d))
            return reply_new(0, "void", NULL, NULL, NULL, ret_reply);
        health_remove(h, there);
    }
    return add(h, &d, ret_reply);
}

int init_system_stat_done(const Command *c, const ArgumentValue *values, Effect *ret) {
    StatDefinition d;
    struct json_object *none = NULL;
    int r;

    r = read_definition(values, &d, &none);
    if (r <= 0) /* the arguments were valid */
        return r < 0 ? r : -EINVAL;
    ret->stat_hold = d.hold;
    ret->stat_interval_usec = d.interval_usec;
    TRY(free_and_strdup(&ret->stat, d.name));
    return free_and_strdup(&ret->stat_type, d.type->name);
}

int get_system_stat_run(const CommandContext *context, const ArgumentValue *values,
                        struct json_object **ret_reply, CommandRun **ret_run) {
    const char *name = values[SYSTEM_STAT_NAME].string;
    const Stat *s = health_find(context->facts->health, STAT_OWNER_MANAGER, name);
    struct json_object *o = NULL;
    char text[80] = "";
    size_t left_out;

    if (!s)
        return refuse_unknown(name, ret_reply);
    TRY(stat_to_json(s, STAT_REPLY_SIZE_MAX, &o, &left_out));
    if (left_out > 0)
        (void)snprintf(text, sizeof(text), "%zu older samples were omitted", left_out);
    return reply_new(0, stat_get_definition(s)->type->reply_type, o, text, NULL, ret_reply);
}

int delete_system_stat_run(const CommandContext *context, const ArgumentValue *values,
                           struct json_object **ret_reply, CommandRun **ret_run) {
    const char *name = values[SYSTEM_STAT_NAME].string;
    Stat *s = health_find(context->facts->health, STAT_OWNER_MANAGER, name);

    if (!s)
        return refuse_unknown(name, ret_reply);
    health_remove(context->facts->health, s);
    return reply_new(0, "void", NULL, NULL, NULL, ret_reply);
}

int delete_system_stat_done(const Command *c, const ArgumentValue *values, Effect *ret) {
    return free_and_strdup(&ret->stat, values[SYSTEM_STAT_NAME].string);
}

static int on_stored(const StoredStat *row, void *userdata) {
    StatDefinition d = {
        .name = row->name,
        .type = stat_type_find(row->type),
        .hold = row->hold,
        .interval_usec = row->interval_usec,
        .owner = STAT_OWNER_MANAGER,
        .is_inherited = true,
    };
    int r = -EINVAL;

    if (d.type && d.hold >= 1 && d.hold <= STAT_HOLD_MAX &&
        d.interval_usec >= STAT_INTERVAL_USEC_MIN && d.interval_usec <= STAT_INTERVAL_USEC_MAX)
        r = health_add(userdata, &d, NULL);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        (void)log_warning_errno(r, "The statistic '%.*s' cannot be resumed: %m",
                                UTF8_SHORT(row->name, 64));
    return 0;
}

int stat_definitions_load(Store *store, Health *health) {
    return store_visit_stats(store, on_stored, health);
}
