/* SPDX-License-Identifier: Apache-2.0 */
/* "Create an account SAS", the documentation of Azure Storage, version 2019-12-12: a HMAC-SHA256
 * with the account key over the values, a line for each. */
#include "dcm-object/azure-sas.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <time.h>

#define VERSION "2019-12-12"
#define PERMISSIONS "rwdlac" /* read, write, delete, list, add, create */
#define SERVICES "b"
#define TYPES "sco" /* service, containers, objects */
#define EARLY_SEC (15 * 60)
#define LIFE_SEC (48 * 3600)
#define TIME_SIZE sizeof("2026-12-01T00:00:00Z")
#define MAC_SIZE 32

static void format_time(int64_t sec, char ret[static TIME_SIZE]) {
    const time_t t = (time_t)sec;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(ret, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        *ret = 0;
}

static int sign(const char *key, const char *text, gnutls_datum_t *ret) {
    const gnutls_datum_t encoded = {(unsigned char *)(uintptr_t)key, (unsigned)strlen(key)};
    uint8_t mac[MAC_SIZE];
    gnutls_datum_t raw = {}, in = {mac, sizeof(mac)};
    int r;

    if (gnutls_base64_decode2(&encoded, &raw) < 0)
        return -EINVAL;
    r = gnutls_hmac_fast(GNUTLS_MAC_SHA256, raw.data, raw.size, text, strlen(text), mac);
    explicit_bzero(raw.data, raw.size);
    gnutls_free(raw.data);
    return r < 0 || gnutls_base64_encode2(&in, ret) < 0 ? -ENOMEM : 0;
}

/* base64 as the value of a query */
static void escape(const gnutls_datum_t *from, char *to) {
    for (unsigned i = 0; i < from->size; i++)
        if (from->data[i] == '+')
            to = stpcpy(to, "%2B");
        else if (from->data[i] == '/')
            to = stpcpy(to, "%2F");
        else if (from->data[i] == '=')
            to = stpcpy(to, "%3D");
        else
            *to++ = (char)from->data[i];
    *to = 0;
}

int azure_sas_make(const char *account, const char *key, int64_t now, char **ret) {
    char start[TIME_SIZE], end[TIME_SIZE], signature[3 * 2 * MAC_SIZE];
    _cleanup_free_ char *text = NULL;
    gnutls_datum_t encoded = {};
    int n;

    format_time(now - EARLY_SEC, start);
    format_time(now + LIFE_SEC, end);
    if (asprintf(&text, "%s\n" PERMISSIONS "\n" SERVICES "\n" TYPES "\n%s\n%s\n\n\n" VERSION "\n",
                 account, start, end) < 0)
        return -ENOMEM;
    TRY(sign(key, text, &encoded));
    escape(&encoded, signature);
    gnutls_free(encoded.data);
    n = asprintf(
        ret, "sv=" VERSION "&ss=" SERVICES "&srt=" TYPES "&sp=" PERMISSIONS "&st=%s&se=%s&sig=%s",
        start, end, signature);
    return n < 0 ? -ENOMEM : 0;
}
