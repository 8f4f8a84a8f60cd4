/* SPDX-License-Identifier: Apache-2.0 */
/* To be preloaded: as long as the file $FAILING_SELECT is there, a statement that looks for one
 * GUID among the requests fails as on a disk that cannot be read. */
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((visibility("default"))) int sqlite3_step(sqlite3_stmt *q) {
    static typeof(&sqlite3_step) original;
    const char *sql = sqlite3_sql(q), *path = getenv("FAILING_SELECT");

    if (!original)
        original = (typeof(original))dlsym(RTLD_NEXT, "sqlite3_step");
    if (sql && path && strncmp(sql, "SELECT", 6) == 0 && strstr(sql, "FROM requests WHERE guid") &&
        access(path, F_OK) == 0)
        return SQLITE_IOERR_READ;
    return original(q);
}
