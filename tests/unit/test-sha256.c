/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that SHA-256 is right: the standard's examples, and every length around block boundaries
 * against GLib, given whole and in pieces. */
#include <glib.h>

#include "basic/macro.h"
#include "basic/sha256.h"

#define SIZE_MAX_TESTED 130

static void test_vectors(void) {
    static const struct {
        const char *text, *hex;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[SHA256_HEX_SIZE];

    for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
        sha256_hex(vectors[i].text, strlen(vectors[i].text), hex);
        g_assert_cmpstr(hex, ==, vectors[i].hex);
    }
}

static void test_million(void) {
    char hex[SHA256_HEX_SIZE], block[1000];
    Sha256 s;

    memset(block, 'a', sizeof(block));
    sha256_init(&s);
    for (unsigned i = 0; i < 1000; i++)
        sha256_update(&s, block, sizeof(block));
    sha256_final_hex(&s, hex);
    g_assert_cmpstr(hex, ==, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_lengths(void) {
    char hex[SHA256_HEX_SIZE];
    guchar data[SIZE_MAX_TESTED];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (guchar)(i * 7 + 1);
    for (size_t size = 0; size <= sizeof(data); size++) {
        g_autofree char *reference = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, size);

        sha256_hex(data, size, hex);
        g_assert_cmpstr(hex, ==, reference);
        for (size_t cut = 0; cut <= size; cut += 13) {
            Sha256 s;

            sha256_init(&s);
            sha256_update(&s, data, cut);
            sha256_update(&s, data + cut, size - cut);
            sha256_final_hex(&s, hex);
            g_assert_cmpstr(hex, ==, reference);
        }
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sha256/vectors", test_vectors);
    g_test_add_func("/sha256/million", test_million);
    g_test_add_func("/sha256/lengths", test_lengths);
    return g_test_run();
}
