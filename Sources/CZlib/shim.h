// SPDX-License-Identifier: Apache-2.0
#ifndef KINTO_CZLIB_H
#define KINTO_CZLIB_H
#include <zlib.h>

/// deflateInit2 is a macro, which Swift cannot see: gzip, with a header that says nothing of the file.
static inline int kinto_deflate_gzip(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
}

#endif
