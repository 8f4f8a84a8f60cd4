/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-cloud: queries the cloud for the identity of this server, and prints the result. The agent
 * connects to the socket of dcm-cloud@.service for it, so that the code that parses metadata is
 * isolated from the agent and its data. */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/ini-file.h"
#include "basic/log.h"
#include "basic/option-table.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "dcm-cloud/http.h"
#include "dcm-cloud/identify.h"
#include "system/cloud-identity.h"

typedef struct Options {
    const char *config_file, *config_directory, *root;
    bool script;
    const char *type; /* NULL: to be detected */
    char *metadata_url;
} Options;

static const Option options[] = {
    {"script", NULL, offsetof(Options, script), option_set_flag,
     "print the startup script instead"},
    {"config", "FILE", offsetof(Options, config_file), option_take_text, "configuration",
     CONFDIR "/agent.conf"},
    {"config-directory", "DIR", offsetof(Options, config_directory), option_take_text, "drop-ins",
     CONFDIR "/agent.conf.d"},
    {"root", "DIR", offsetof(Options, root), option_take_text,
     "look for files below this directory"},
    OPTION_VERSION,
    OPTION_HELP,
};

static const OptionTable option_table = {
    .program = "dcm-cloud",
    .about = "Asks the cloud for the identity of this server and prints it as JSON.",
    .options = options,
    .n_options = ELEMENTSOF(options),
};

/* Takes scheme, host and port of the address: the rest is known, and installers of the Python agent
 * wrote it too. */
static int set_url(Options *o, const char *value) {
    static const char scheme[] = "http://";
    size_t size;

    if (isempty(value)) {
        free(TAKE_PTR(o->metadata_url));
        return 0;
    }
    if (!cloud_metadata_url_is_valid(value))
        return -EINVAL;
    size = strlen(scheme) + strcspn(value + strlen(scheme), "/?#");
    free(o->metadata_url);
    o->metadata_url = strndup(value, size);
    return o->metadata_url ? 0 : -ENOMEM;
}

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    Options *o = userdata;
    const char *type;

    if (!streq(at->section, "cloud"))
        return 0;
    if (strcasecmp(at->name, "metadata_url") == 0)
        return set_url(o, value);
    if (strcasecmp(at->name, "type") != 0)
        return 0;
    type = cloud_type_find(value);
    if (!type && !isempty(value))
        return -EINVAL;
    o->type = type && !streq(type, "UNKNOWN") ? type : NULL;
    return 0;
}

/* The agent logs these problems at a higher level. */
static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    log_debug("%s:%u: %s", file, line, text);
}

static int write_answer(const char *text, size_t size) {
    terminal_pass(stdout, text, size);
    return fflush(stdout) == 0 ? 0 : log_error_errno(errno, "The answer cannot be written: %m");
}

static int answer(const Options *o, const Question *q) {
    _cleanup_(cloud_identity_done) CloudIdentity i = {};
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = identify(o->type, q, &i);
    if (r >= 0)
        r = cloud_identity_encode(&i, &text, &size);
    if (r < 0)
        return log_error_errno(r, "The metadata of the cloud cannot be read: %m");
    if (i.problem)
        log_warning("%s", i.problem);
    text[size++] = '\n'; /* replaces the NUL */
    return write_answer(text, size);
}

static int answer_script(const Options *o, const Question *q) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = identify_script(o->type, q, &text, &size);
    if (r < 0) {
        log_error("There is no startup script: the metadata service %s",
                  r == -ENODATA ? "of this cloud is not known" : http_strerror(r));
        return r;
    }
    return write_answer(text, size);
}

int main(int argc, char *argv[]) {
    static const IniCallbacks callbacks = {.on_value = on_value, .on_problem = on_problem};
    Options o = {
        .config_file = CONFDIR "/agent.conf",
        .config_directory = CONFDIR "/agent.conf.d",
        .root = "",
    };
    Question q;
    int r;

    log_set_identifier("dcm-cloud");
    r = option_table_parse(&option_table, argc, argv, &o);
    if (r <= 0)
        return options_exit_status(r);
    (void)signal(SIGPIPE, SIG_IGN);
    r = ini_file_load(o.config_file, o.config_directory, &callbacks, &o);
    if (r >= 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        r = -ENOMEM;
    q = (Question){
        .metadata_url = o.metadata_url,
        .root = o.root,
        .deadline_usec = now_usec(CLOCK_BOOTTIME) + CLOUD_TIME_USEC,
    };
    if (r < 0)
        (void)log_error_errno(r, "The metadata of the cloud cannot be read: %m");
    else
        r = o.script ? answer_script(&o, &q) : answer(&o, &q);
    free(o.metadata_url);
    curl_global_cleanup();
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
