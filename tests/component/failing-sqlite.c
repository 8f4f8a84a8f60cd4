/* SPDX-License-Identifier: Apache-2.0 */
/* To be preloaded: as long as the file $FAILING_SELECT is there, a statement that looks for one
 * GUID among the requests fails as on a disk that cannot be read; with $FAILING_COMMIT, what ends a
 * transaction as on one that is full; with $FAILING_META, what writes a fact. */
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int is_there(const char *variable) {
    const char *path = getenv(variable);

    return path && access(path, F_OK) == 0;
}

EXPORT int sqlite3_step(sqlite3_stmt *q) {
    static typeof(&sqlite3_step) original;
    const char *sql = sqlite3_sql(q);

    if (!original)
        original = (typeof(original))dlsym(RTLD_NEXT, "sqlite3_step");
    if (sql && strncmp(sql, "SELECT", 6) == 0 && strstr(sql, "FROM requests WHERE guid") &&
        is_there("FAILING_SELECT"))
        return SQLITE_IOERR_READ;
    if (sql && strncmp(sql, "SELECT", 6) != 0 && strstr(sql, " meta") && is_there("FAILING_META"))
        return SQLITE_FULL;
    return original(q);
}

EXPORT int sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **),
                        void *userdata, char **ret_error) {
    static typeof(&sqlite3_exec) original;

    if (!original)
        original = (typeof(original))dlsym(RTLD_NEXT, "sqlite3_exec");
    if (strcmp(sql, "COMMIT") == 0 && is_there("FAILING_COMMIT"))
        return SQLITE_FULL;
    return original(db, sql, row, userdata, ret_error);
}
