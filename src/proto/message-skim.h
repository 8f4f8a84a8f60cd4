/* SPDX-License-Identifier: Apache-2.0 */
/* Which message one is that cannot be taken: too large, nested too deep, no JSON. Its type and ids
 * are found in its bytes as they come, and nothing else is kept. */
#pragma once

#include "proto/message.h"

typedef struct MessageSkim MessageSkim;

int message_skim_new(MessageSkim **ret);
MessageSkim *message_skim_free(MessageSkim *s);
DEFINE_CLEANUP(MessageSkim *, message_skim_free)

void message_skim_feed(MessageSkim *s, const char *text, size_t size);
/* As message_parse(): the message has its type and ids alone. */
int message_skim_finish(MessageSkim *s, Message *ret, const char **ret_error);
