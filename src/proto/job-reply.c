/* SPDX-License-Identifier: Apache-2.0 */
/* The Python agent's replies of these commands are void, with a text: a success is one here, too.
 * An object is added only where that agent had none: to errors, dry runs and what is new. */
#include "proto/job-reply.h"

#include <stdio.h>

#include "proto/text.h"

void reply_done(Reply *r) {
    (void)json_object_put(r->object);
    free(r->message);
    free(r->error_message);
    *r = (Reply){.error_type = r->error_type};
}

static int set_code(Reply *r, const char *code) {
    _cleanup_json_ struct json_object *o = NULL;

    if (!code)
        return 0;
    o = json_object_new_object();
    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "code", code));
    (void)json_object_put(r->object);
    r->object = TAKE_PTR(o);
    r->reply_type = r->error_type;
    return 0;
}

int reply_set_error(Reply *r, int status, const char *code, const char *text) {
    char *clean;

    TRY(utf8_replace_invalid(text, strlen(text), &clean));
    free(r->error_message);
    r->error_message = clean;
    r->status = status;
    return set_code(r, code);
}

int reply_add_line(Reply *r, const char *text) {
    _cleanup_free_ char *clean = NULL;
    char *all;

    TRY(utf8_replace_invalid(text, strlen(text), &clean));
    if (asprintf(&all, "%s%s\n", strempty(r->message), clean) < 0)
        return -ENOMEM;
    free(r->message);
    r->message = all;
    return 0;
}

static int to_json(const Reply *r, struct json_object *o) {
    TRY(json_add_int(o, "return_code", r->status == 0 ? 0 : r->return_code ?: 1));
    TRY(json_add_string(o, "reply_type", r->reply_type ?: "void"));
    if (r->object)
        TRY(json_add(o, "reply_object", json_object_get(r->object)));
    TRY(json_add_string(o, "message", strempty(r->message)));
    return json_add_string(o, "error_message", strempty(r->error_message));
}

int reply_print(const Reply *r) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    const char *text;

    if (!o)
        return -ENOMEM;
    TRY(to_json(r, o));
    text = json_to_text(o, NULL);
    if (!text)
        return -ENOMEM;
    return puts(text) == EOF || fflush(stdout) != 0 ? -EIO : 0;
}
