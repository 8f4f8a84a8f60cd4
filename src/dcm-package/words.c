/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/words.h"

#include <stdio.h>

void words_done(Words *a) {
    strv_free(a->words);
    *a = (Words){};
}

const char *const *words_get(const Words *a) {
    return (const char *const *)a->words;
}

int words_add(Words *a, const char *word) {
    return strv_push(&a->words, &a->n, strdup(word));
}

int words_add_all(Words *a, const char *const *more) {
    for (const char *const *word = more; word && *word; word++)
        TRY(words_add(a, *word));
    return 0;
}

int words_add_version(Words *a, const char *name, char separator, const char *version) {
    char *text;

    if (!version || !*version)
        return words_add(a, name);
    if (asprintf(&text, "%s%c%s", name, separator, version) < 0)
        return -ENOMEM;
    return strv_push(&a->words, &a->n, text);
}
