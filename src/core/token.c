/* SPDX-License-Identifier: Apache-2.0 */
#include "core/token.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>

#include "basic/file-util.h"

#define RANDOM_MIN 30u
#define RANDOM_MAX 59u
#define UUID_LENGTH 36u

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_!@#^(),.=+";

static int random_byte(uint8_t *ret) {
    return getrandom(ret, 1, 0) == 1 ? 0 : -EIO;
}

/* Uniform in [0, n): rejects values of the last, incomplete round. */
static int random_below(unsigned n, unsigned *ret) {
    uint8_t byte;

    do {
        TRY(random_byte(&byte));
    } while (byte >= 256 / n * n);
    *ret = byte % n;
    return 0;
}

static int generate(char ret[static TOKEN_SIZE]) {
    uint8_t b[16];
    unsigned length, c;
    int r;

    r = random_below(RANDOM_MAX - RANDOM_MIN + 1, &length);
    if (r < 0)
        return r;
    length += RANDOM_MIN;
    for (unsigned i = 0; i < length; i++) {
        TRY(random_below(sizeof(alphabet) - 1, &c));
        ret[i] = alphabet[c];
    }
    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        return -EIO;
    b[6] = (b[6] & 0x0f) | 0x40; /* RFC 9562, version 4 */
    b[8] = (b[8] & 0x3f) | 0x80;
    (void)snprintf(ret + length, TOKEN_SIZE - length,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
    explicit_bzero(b, sizeof(b));
    return 0;
}

static bool is_valid(const char *token) {
    size_t size = strlen(token);

    return size >= RANDOM_MIN + UUID_LENGTH && size <= RANDOM_MAX + UUID_LENGTH &&
           strspn(token, alphabet) == size;
}

int token_create(const char *path, char ret[static TOKEN_SIZE]) {
    char token[TOKEN_SIZE];
    int r;

    r = generate(token);
    if (r >= 0)
        r = write_file_atomic(path, token, strlen(token), 0600);
    if (r >= 0)
        memcpy(ret, token, strlen(token) + 1);
    explicit_bzero(token, sizeof(token));
    return r;
}

int token_load(const char *path, char ret[static TOKEN_SIZE]) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = read_file_at(AT_FDCWD, path, TOKEN_SIZE, &text, &size);
    if (r < 0)
        return r == -EFBIG ? -EINVAL : r;
    text[strcspn(text, "\r\n")] = 0;
    r = is_valid(text) ? 0 : -EINVAL;
    if (r >= 0)
        memcpy(ret, text, strlen(text) + 1);
    explicit_bzero(text, size);
    return r;
}

/* systemd.exec(5), LoadCredentialEncrypted= */
static int load_credential(char ret[static TOKEN_SIZE]) {
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    _cleanup_free_ char *path = NULL;

    if (!directory)
        return -ENOENT;
    return asprintf(&path, "%s/token", directory) < 0 ? -ENOMEM : token_load(path, ret);
}

int token_load_or_create(const char *path, char ret[static TOKEN_SIZE]) {
    int r = token_load(path, ret);

    if (r == -ENOENT)
        r = load_credential(ret);
    return r == -ENOENT || r == -EINVAL ? token_create(path, ret) : r;
}
