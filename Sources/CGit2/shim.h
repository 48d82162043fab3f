// SPDX-License-Identifier: Apache-2.0
#ifndef KINTO_CGIT2_SHIM_H
#define KINTO_CGIT2_SHIM_H

#include <git2.h>
#include <git2/sys/repository.h>
#include <git2/sys/odb_backend.h>

// git_libgit2_opts is variadic, which Swift cannot call: one wrapper per shape in use.
static inline int kinto_git_opts_int(int option, int value) { return git_libgit2_opts(option, value); }
static inline int kinto_git_opts_size(int option, size_t value) { return git_libgit2_opts(option, value); }
static inline int kinto_git_opts_ssize(int option, ssize_t value) { return git_libgit2_opts(option, value); }
static inline int kinto_git_opts_authorities(const char *file) {
    return git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file, NULL);
}
static inline int kinto_git_opts_search_path(int level, const char *path) {
    return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path);
}

// The layout of a certificate follows from its first member: a cast, which C does best.
static inline const git_cert_hostkey *kinto_git_hostkey(const git_cert *certificate) {
    return certificate->cert_type == GIT_CERT_HOSTKEY_LIBSSH2 ? (const git_cert_hostkey *)certificate : 0;
}

// syncfs(2) hides behind _GNU_SOURCE, which Swift does not define. Writes out the file system that holds `fd`.
extern int syncfs(int fd);
static inline int kinto_syncfs(int fd) { return syncfs(fd); }

#endif
