// SPDX-License-Identifier: Apache-2.0
#include "Library.h"
#include <dlfcn.h>
#include <stdio.h>

const char *kinto_library_load(struct kinto_library *library) {
    pthread_mutex_lock(&library->lock);
    library->problem[0] = 0;
    void *handles[2] = {NULL, NULL};
    for (int file = 0; !library->is_loaded && file < 2 && library->files[file]; file++) {
        // Never closed: other threads may be in it.
        handles[file] = dlopen(library->files[file], RTLD_NOW | RTLD_GLOBAL);
        if (!handles[file])
            snprintf(library->problem, sizeof library->problem, "%s cannot be loaded; install the package %s",
                     library->files[file], library->package);
    }
    for (size_t index = 0; !library->is_loaded && !library->problem[0] && index < library->count; index++) {
        void *call = NULL;
        for (int file = 0; !call && file < 2 && handles[file]; file++) call = dlsym(handles[file], library->names[index]);
        library->calls[index] = call;
        if (!call)
            snprintf(library->problem, sizeof library->problem, "%s of the package %s lacks %s",
                     library->files[0], library->package, library->names[index]);
    }
    if (!library->problem[0]) library->is_loaded = true;
    pthread_mutex_unlock(&library->lock);
    return library->is_loaded ? NULL : library->problem;
}
