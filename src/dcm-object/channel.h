/* SPDX-License-Identifier: Apache-2.0 */
/* The socket between dcm-object and dcm-object-run, which is the main process of rclone's unit.
 * Secrets and files pass through it, so that they are no properties of the unit. */
#pragma once

#include "basic/macro.h"

typedef enum ChannelType {
    CHANNEL_ENVIRONMENT = 'E', /* of rclone; with it may come the file of what it trusts */
    CHANNEL_RUN = 'R',         /* arguments of rclone; standard input, output and error; and the
                                  write end of standard input, see CHANNEL_COMPLETE */
    CHANNEL_COMPLETE = 'C',    /* the input is complete: close that write end */
    CHANNEL_STATUS = 'S',      /* the other way: rclone has ended; status of waitpid(2) */
} ChannelType;

#define CHANNEL_FDS_MAX 4

typedef struct ChannelMessage {
    ChannelType type;
    char *text; /* strings, each with its NUL; has one more NUL behind */
    size_t size;
    int fds[CHANNEL_FDS_MAX];
    size_t n_fds;
} ChannelMessage;

/* Clears the text, closes the descriptors. */
void channel_message_done(ChannelMessage *m);

/* Sends; the caller keeps its descriptors. */
int channel_send(int socket, ChannelType type, const char *text, size_t size, const int *fds,
                 size_t n_fds);
int channel_send_strings(int socket, ChannelType type, char *const *list, const int *fds,
                         size_t n_fds);
/* Waits for a message. 0: the other side is gone. -EBADMSG: anything but a message. */
int channel_receive(int socket, ChannelMessage *ret);
/* The strings of a message as a list, whose strings belong to the message; the caller frees the
 * list. */
int channel_strings(const ChannelMessage *m, char ***ret);
