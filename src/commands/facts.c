/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/facts.h"

void command_facts_opened(CommandFacts *f, const HandshakeAnswer *a) {
    (void)free_and_strdup(&f->server_name, a->server_name);
    (void)free_and_strdup(&f->cloud_id, a->cloud_id);
    (void)free_and_strdup(&f->region_id, a->region_id);
}

void command_facts_done(CommandFacts *f) {
    free(f->server_name);
    free(f->cloud_id);
    free(f->region_id);
    *f = (CommandFacts){};
}
