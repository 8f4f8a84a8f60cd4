/* SPDX-License-Identifier: Apache-2.0 */
#include "core/enrolment.h"

#include <fcntl.h>
#include <stdio.h>

#include "basic/file-util.h"
#include "basic/log.h"
#include "proto/handshake.h"

#define CREDENTIAL "enrolment_token"

static int read_secret(const char *path, char ret[static ENROLMENT_TOKEN_SIZE_MAX + 1]) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    TRY(read_file_at(AT_FDCWD, path, SECRET_FILE_MAX, &text, &size));
    text[strcspn(text, "\r\n")] = 0;
    r = enrolment_token_is_valid(text) ? 0 : -EINVAL;
    if (r >= 0)
        (void)stpcpy(ret, text);
    explicit_bzero(text, size);
    return r;
}

static int read_credential(char ret[static ENROLMENT_TOKEN_SIZE_MAX + 1]) {
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    _cleanup_free_ char *path = NULL;
    int r;

    if (!directory)
        return 0;
    if (asprintf(&path, "%s/" CREDENTIAL, directory) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = read_secret(path, ret);
    return r == -ENOENT ? 0 : r;
}

/* An agent that the manager knows needs no secret, so that it connects without one. */
static void complain(Enrolment *e, const char *what, const char *path, int error) {
    if (error == e->error)
        return;
    e->error = error;
    if (error == -EINVAL)
        log_warning("%s%s has no enrolment token, which is one line of 1 to %zu visible ASCII "
                    "characters; connecting without one",
                    what, path, ENROLMENT_TOKEN_SIZE_MAX);
    else if (error < 0)
        (void)log_warning_errno(
            error, "%s%s cannot be read: %m; connecting without an enrolment token", what, path);
}

static void read_configured(Enrolment *e, const Config *config,
                            char ret[static ENROLMENT_TOKEN_SIZE_MAX + 1]) {
    ret[0] = 0;
    if (config->enrolment_token)
        (void)stpcpy(ret, config->enrolment_token); /* the configuration has checked it */
    else if (config->enrolment_token_file)
        complain(e, "enrolment_token_file ", config->enrolment_token_file,
                 read_secret(config->enrolment_token_file, ret));
    else
        complain(e, "The credential ", CREDENTIAL, read_credential(ret));
}

/* With another manager, another secret, or another token of its own the agent is new again. */
static void make_mark(const Config *config, const char *secret, const char *token,
                      char ret[static SHA256_HEX_SIZE]) {
    const char *const parts[] = {strempty(config->agentmanager_url), token, secret};
    Sha256 hash;

    sha256_init(&hash);
    for (size_t i = 0; i < ELEMENTSOF(parts); i++)
        sha256_update(&hash, parts[i], strlen(parts[i]) + 1);
    sha256_final_hex(&hash, ret);
}

void enrolment_get(Enrolment *e, const Config *config, Store *store, const char *token,
                   char ret[static ENROLMENT_TOKEN_SIZE_MAX + 1]) {
    _cleanup_free_ char *done = NULL;

    e->mark[0] = 0;
    read_configured(e, config, ret);
    if (!ret[0])
        return;
    make_mark(config, ret, token, e->mark);
    /* a mark that cannot be read is none: the secret goes once more to whom it is meant for */
    if (store_get_meta(store, STORE_META_ENROLLED, &done) < 0 || !done || !streq(done, e->mark))
        return;
    explicit_bzero(ret, strlen(ret));
    e->mark[0] = 0;
}

void enrolment_note_accepted(Enrolment *e, Store *store) {
    int r;

    if (!e->mark[0])
        return;
    r = store_in_transaction(store) ? store_set_meta(store, STORE_META_ENROLLED, e->mark)
                                    : store_set_fact(store, STORE_META_ENROLLED, e->mark);
    if (r < 0)
        (void)log_warning_errno(r, "It cannot be stored that the enrolment token has done its "
                                   "work: %m; the next handshake has it again");
}
