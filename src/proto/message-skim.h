/* SPDX-License-Identifier: Apache-2.0 */
/* Identifies a message that cannot be parsed because it is too large, nested too deep or not JSON.
 * Finds type and ids in the bytes as they arrive, and keeps nothing else. */
#pragma once

#include "proto/message.h"

typedef struct MessageSkim MessageSkim;

int message_skim_new(MessageSkim **ret);
MessageSkim *message_skim_free(MessageSkim *s);
DEFINE_CLEANUP(MessageSkim *, message_skim_free)

void message_skim_feed(MessageSkim *s, const char *text, size_t size);
/* Fills *ret as message_parse() does, with type and ids alone. */
int message_skim_finish(MessageSkim *s, Message *ret, const char **ret_error);
