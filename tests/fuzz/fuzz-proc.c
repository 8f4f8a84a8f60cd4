/* SPDX-License-Identifier: Apache-2.0 */
/* os-release(5) and files of proc(5). */
#include "fuzz.h"
#include "system/platform.h"
#include "system/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(platform_done) Platform p = {};
    _cleanup_free_ char *text = fuzz_text(data, size);
    CpuTimes before = {}, after = {};
    MemoryUse m = {};
    double load;

    CHECK(platform_parse(text, &p) == 0 && p.name && p.version);
    CHECK(!strchr(p.name, '\n') && !strchr(p.version, '\n'));
    (void)cpu_times_parse(text, &after);
    load = cpu_load_percent(&before, &after);
    CHECK(load >= 0 && load <= 100);
    (void)memory_use_parse(text, &m);
    return 0;
}
