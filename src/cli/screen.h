/* SPDX-License-Identifier: Apache-2.0 */
/* How standard output is shown: how wide, in colours or not, through a pager or not. One rule for
 * all programs, that of systemd(1): SYSTEMD_COLORS decides about colours, then NO_COLOR, then
 * whether it is a terminal; SYSTEMD_PAGER, then PAGER, name the pager, and "" or "cat" none. */
#pragma once

#include "basic/macro.h"

typedef enum Colour {
    COLOUR_NONE,
    COLOUR_RED,
    COLOUR_GREEN,
    COLOUR_YELLOW,
    COLOUR_GREY,
    COLOUR_BOLD,
    COLOUR_REVERSE,
    COLOUR_END, /* back to none */
    _COLOUR_MAX,
} Colour;

/* Columns of a line; INT_MAX: there is no terminal, so lines may have any length. */
int screen_get_width(void);
bool screen_has_colours(void);
/* The escape sequence that begins a colour; "" where there are none. */
const char *screen_get_colour(Colour colour);

/* Sends what is printed from now on through a pager, if a terminal would show it. Does nothing if
 * there is no pager. */
void screen_page(void);
/* Flushes standard output and waits for the pager; before the program ends. -EIO: it could not be
 * written, which the function has reported. */
int screen_end(void);
