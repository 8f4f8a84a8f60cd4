/* SPDX-License-Identifier: Apache-2.0 */
#include "system/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/file-util.h"

int cpu_times_parse(const char *text, CpuTimes *ret) {
    uint64_t user, nice, system, idle, iowait = 0, irq = 0, softirq = 0, steal = 0;

    /* proc_stat(5); guest time is part of user time already */
    if (sscanf(text,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64,
               &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal) < 4)
        return -EBADMSG;
    ret->busy = user + nice + system + irq + softirq + steal;
    ret->total = ret->busy + idle + iowait;
    return 0;
}

static bool find_kib(const char *text, const char *key, uint64_t *ret) {
    size_t size = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, size) == 0)
            return sscanf(line + size, "%" SCNu64, ret) == 1;
    }
    return false;
}

int memory_use_parse(const char *text, MemoryUse *ret) {
    uint64_t total, free_kib;

    if (!find_kib(text, "MemTotal:", &total) || !find_kib(text, "MemFree:", &free_kib))
        return -EBADMSG;
    ret->total_bytes = total * 1024;
    ret->used_bytes = (total - MIN(free_kib, total)) * 1024;
    return 0;
}

int cpu_times_read(CpuTimes *ret) {
    _cleanup_free_ char *text = NULL;

    TRY(read_file_at(AT_FDCWD, "/proc/stat", PROC_FILE_MAX, &text, NULL));
    return cpu_times_parse(text, ret);
}

int memory_use_read(MemoryUse *ret) {
    _cleanup_free_ char *text = NULL;

    TRY(read_file_at(AT_FDCWD, "/proc/meminfo", PROC_FILE_MAX, &text, NULL));
    return memory_use_parse(text, ret);
}

double cpu_load_percent(const CpuTimes *before, const CpuTimes *after) {
    if (after->total <= before->total || after->busy < before->busy)
        return 0;
    return MIN(100.0, 100.0 * (double)(after->busy - before->busy) /
                          (double)(after->total - before->total));
}

int process_count_read(unsigned *ret) {
    struct dirent *entry;
    unsigned n = 0;
    DIR *proc;

    proc = opendir("/proc");
    if (!proc)
        return -errno;
    while ((entry = readdir(proc)))
        n += isdigit((unsigned char)entry->d_name[0]) != 0;
    (void)closedir(proc);
    *ret = n;
    return 0;
}
