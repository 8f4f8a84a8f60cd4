/* SPDX-License-Identifier: Apache-2.0 */
/* What dcm-cloud tells the agent, and leases of DHCP clients. */
#include "dcm-cloud/lease.h"
#include "fuzz.h"
#include "system/cloud-identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(cloud_identity_done) CloudIdentity i = {}, again = {};
    _cleanup_free_ char *text = fuzz_text(data, size), *encoded = NULL;
    char address[INET_ADDRSTRLEN];
    size_t encoded_size;

    if (lease_parse_networkd(text, address) >= 0)
        CHECK(strspn(address, "0123456789.") == strlen(address));
    if (lease_parse_dhclient(text, address) >= 0)
        CHECK(strspn(address, "0123456789.") == strlen(address));
    if (cloud_identity_parse((const char *)data, size, &i) < 0)
        return 0;
    CHECK(cloud_identity_encode(&i, &encoded, &encoded_size) == 0);
    CHECK(cloud_identity_parse(encoded, encoded_size, &again) == 0);
    CHECK(cloud_identity_equal(&i, &again));
    return 0;
}
