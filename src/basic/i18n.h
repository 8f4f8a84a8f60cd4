/* SPDX-License-Identifier: Apache-2.0 */
/* Translated texts for people at a terminal. Journal entries and the wire are never translated. */
#pragma once

#include <libintl.h>
#include <locale.h>

#define _(text) gettext(text)
#define N_(text) (text) /* marks a text in a table; the code that shows it calls _() */

/* LC_NUMERIC stays "C": numbers in command lines have a decimal point in every locale. */
static inline void i18n_init(void) {
    (void)setlocale(LC_CTYPE, "");
    (void)setlocale(LC_MESSAGES, "");
    (void)setlocale(LC_TIME, "");
    (void)bindtextdomain(GETTEXT_PACKAGE, LOCALEDIR);
    (void)textdomain(GETTEXT_PACKAGE);
}
