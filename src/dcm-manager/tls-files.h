/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an authority and of the manager's certificate in one directory. Nothing that exists
 * is replaced, except the certificate when it is renewed. */
#pragma once

#include "basic/macro.h"

typedef enum TlsFile {
    TLS_CA,     /* ca.pem: for agents */
    TLS_CA_KEY, /* ca-key.pem: for root alone; the manager does not need it */
    TLS_CERT,   /* cert.pem */
    TLS_KEY,    /* key.pem: for the group of the manager, too */
    _TLS_FILE_MAX,
} TlsFile;

typedef enum TlsFilesUse {
    TLS_FILES_PUBLIC, /* to read all but the keys */
    TLS_FILES_RENEW,
    TLS_FILES_CREATE, /* makes the directory, too */
} TlsFilesUse;

typedef struct TlsFiles {
    const char *directory;
    int lock; /* the directory, locked against others who write there */
    gid_t group;
    bool has_group;
    char *texts[_TLS_FILE_MAX]; /* NULL: there is none */
} TlsFiles;

/* Reads what exists. -ESRCH: there is no group dcm-manager; -EPERM: somebody else owns the
 * directory, and could replace what is in it; -EBUSY: somebody else writes there now. `ret_path` is
 * of what failed. */
int tls_files_open(const char *directory, TlsFilesUse use, TlsFiles *ret, char *ret_path,
                   size_t path_size);
void tls_files_done(TlsFiles *f);

const char *tls_file_name(TlsFile file) _const_;
/* Writes texts[file], for which it takes ownership of `text`: durably, and with the mode of that
 * file. -EEXIST: it exists meanwhile, and may not be replaced. */
int tls_files_write(TlsFiles *f, TlsFile file, char *text, bool replace);
