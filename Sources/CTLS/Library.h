// SPDX-License-Identifier: Apache-2.0
#ifndef KINTO_LIBRARY_H
#define KINTO_LIBRARY_H
#include "CTLS.h"
#include <pthread.h>
#include <stdbool.h>

/// Shared objects and the calls to be found in them.
struct kinto_library {
    const char *files[2];
    const char *const *names;
    size_t count;
    void **calls;        ///< as many, in the same order
    const char *package; ///< of the system, that has them
    pthread_mutex_t lock;
    bool is_loaded;
    char problem[256];
};

/// NULL, or what is in the way. Safe to call from several threads and again.
const char *kinto_library_load(struct kinto_library *library);

#endif
