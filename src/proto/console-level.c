/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/console-level.h"

#include <syslog.h>

static const struct {
    int level;
    const char *name;
} levels[] = {
    {LOG_CRIT, "CRITICAL"}, {LOG_ERR, "ERROR"},   {LOG_WARNING, "WARNING"},
    {LOG_INFO, "INFO"},     {LOG_DEBUG, "DEBUG"},
};

const char *console_level_name(int level) {
    for (size_t i = 0; i < ELEMENTSOF(levels); i++)
        if (level <= levels[i].level)
            return levels[i].name;
    return "DEBUG";
}

int console_level_find(const char *name) {
    for (size_t i = 0; i < ELEMENTSOF(levels); i++)
        if (strcasecmp(name, levels[i].name) == 0)
            return levels[i].level;
    return -EINVAL;
}
