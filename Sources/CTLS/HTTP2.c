// SPDX-License-Identifier: Apache-2.0
#include "Library.h"
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#define CALLS(X) \
    X(nghttp2_option_del) X(nghttp2_option_new) X(nghttp2_option_set_no_auto_window_update) \
    X(nghttp2_session_callbacks_del) X(nghttp2_session_callbacks_new) \
    X(nghttp2_session_callbacks_set_on_begin_headers_callback) \
    X(nghttp2_session_callbacks_set_on_data_chunk_recv_callback) \
    X(nghttp2_session_callbacks_set_on_frame_recv_callback) X(nghttp2_session_callbacks_set_on_header_callback) \
    X(nghttp2_session_callbacks_set_on_stream_close_callback) X(nghttp2_session_consume) \
    X(nghttp2_session_del) X(nghttp2_session_get_last_proc_stream_id) \
    X(nghttp2_session_mem_recv) X(nghttp2_session_mem_send) X(nghttp2_session_resume_data) \
    X(nghttp2_session_server_new2) X(nghttp2_session_set_local_window_size) X(nghttp2_session_want_read) \
    X(nghttp2_session_want_write) X(nghttp2_submit_goaway) X(nghttp2_submit_headers) X(nghttp2_submit_response) \
    X(nghttp2_submit_rst_stream) X(nghttp2_submit_settings) X(nghttp2_submit_shutdown_notice)

static struct {
#define POINTER(name) __typeof__(&name) name;
    CALLS(POINTER)
} ng;

static const char *names[] = {
#define NAME(name) #name,
    CALLS(NAME)
};

static struct kinto_library library = {
    .files = {"libnghttp2.so.14", NULL}, .names = names, .count = sizeof names / sizeof *names,
    .calls = (void **)&ng, .package = "libnghttp2-14", .lock = PTHREAD_MUTEX_INITIALIZER};

const char *kinto_h2_load(void) { return kinto_library_load(&library); }

struct kinto_h2 {
    nghttp2_session *session;
    kinto_h2_events events;
    void *context;
};

// MARK: What happens

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    kinto_h2 *own = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    return own->events.begin(own->context, frame->hd.stream_id) ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                    const uint8_t *value, size_t value_length, uint8_t flags, void *user) {
    (void)session, (void)flags;
    kinto_h2 *own = user;
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    return own->events.field(own->context, frame->hd.stream_id, name, name_length, value, value_length)
               ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    kinto_h2 *own = user;
    int ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        if (own->events.head(own->context, frame->hd.stream_id, ended))
            ng.nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
    } else if (frame->hd.type == NGHTTP2_DATA && ended) {
        own->events.end(own->context, frame->hd.stream_id);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t length,
                   void *user) {
    (void)session, (void)flags;
    kinto_h2 *own = user;
    own->events.data(own->context, stream, bytes, length);
    return 0;
}

static int on_closed(nghttp2_session *session, int32_t stream, uint32_t code, void *user) {
    (void)session;
    kinto_h2 *own = user;
    own->events.closed(own->context, stream, code);
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *user) {
    (void)session, (void)source;
    kinto_h2 *own = user;
    int end = 0;
    size_t count = own->events.body(own->context, stream, buffer, size, &end);
    if (end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return count == 0 && !end ? NGHTTP2_ERR_DEFERRED : (ssize_t)count;
}

// MARK: Session

kinto_h2 *kinto_h2_create(const kinto_h2_events *events, void *context, uint32_t streams, uint32_t window,
                          uint32_t header_bytes) {
    kinto_h2 *own = calloc(1, sizeof *own);
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *options = NULL;
    int failed = !own || ng.nghttp2_session_callbacks_new(&callbacks) || ng.nghttp2_option_new(&options);
    if (!failed) {
        own->events = *events;
        own->context = context;
        ng.nghttp2_option_set_no_auto_window_update(options, 1);
        ng.nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
        ng.nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
        ng.nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        ng.nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        ng.nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
        failed = ng.nghttp2_session_server_new2(&own->session, callbacks, own, options);
    }
    if (callbacks) ng.nghttp2_session_callbacks_del(callbacks);
    if (options) ng.nghttp2_option_del(options);
    if (!failed) {
        nghttp2_settings_entry settings[] = {
            {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams},
            {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
            {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, header_bytes},
        };
        failed = ng.nghttp2_submit_settings(own->session, NGHTTP2_FLAG_NONE, settings, 3)
                 || ng.nghttp2_session_set_local_window_size(own->session, NGHTTP2_FLAG_NONE, 0, (int32_t)(4 * window));
    }
    if (failed) {
        kinto_h2_free(own);
        return NULL;
    }
    return own;
}

void kinto_h2_free(kinto_h2 *session) {
    if (session && session->session) ng.nghttp2_session_del(session->session);
    free(session);
}

int kinto_h2_receive(kinto_h2 *session, const void *bytes, size_t length) {
    ssize_t taken = ng.nghttp2_session_mem_recv(session->session, bytes, length);
    return taken < 0 ? (int)taken : 0;
}

long kinto_h2_send(kinto_h2 *session, const uint8_t **bytes) {
    return ng.nghttp2_session_mem_send(session->session, bytes);
}

int kinto_h2_is_over(const kinto_h2 *session) {
    return !ng.nghttp2_session_want_read(session->session) && !ng.nghttp2_session_want_write(session->session);
}

void kinto_h2_consume(kinto_h2 *session, int32_t stream, size_t count) {
    ng.nghttp2_session_consume(session->session, stream, count);
}

/// Fields for the library, which copies them. Freed by the caller.
static nghttp2_nv *copied(const kinto_h2_field *fields, size_t count) {
    nghttp2_nv *list = calloc(count ? count : 1, sizeof *list);
    for (size_t index = 0; list && index < count; index++)
        list[index] = (nghttp2_nv){
            (uint8_t *)fields[index].name, (uint8_t *)fields[index].value, fields[index].name_length,
            fields[index].value_length, NGHTTP2_NV_FLAG_NONE};
    return list;
}

void kinto_h2_interim(kinto_h2 *session, int32_t stream, const kinto_h2_field *fields, size_t count) {
    nghttp2_nv *list = copied(fields, count);
    if (list)
        ng.nghttp2_submit_headers(session->session, NGHTTP2_FLAG_NONE, stream, NULL, list, count, NULL);
    free(list);
}

int kinto_h2_answer(kinto_h2 *session, int32_t stream, const kinto_h2_field *fields, size_t count, int has_body) {
    nghttp2_nv *list = copied(fields, count);
    if (!list) return NGHTTP2_ERR_NOMEM;
    nghttp2_data_provider provider = {.source = {.ptr = NULL}, .read_callback = read_body};
    int result = ng.nghttp2_submit_response(session->session, stream, list, count, has_body ? &provider : NULL);
    free(list);
    return result;
}

void kinto_h2_resume(kinto_h2 *session, int32_t stream) {
    ng.nghttp2_session_resume_data(session->session, stream);
}

void kinto_h2_reset(kinto_h2 *session, int32_t stream, uint32_t code) {
    ng.nghttp2_submit_rst_stream(session->session, NGHTTP2_FLAG_NONE, stream, code);
}

void kinto_h2_announce_end(kinto_h2 *session) { ng.nghttp2_submit_shutdown_notice(session->session); }

void kinto_h2_go_away(kinto_h2 *session) {
    ng.nghttp2_submit_goaway(
        session->session, NGHTTP2_FLAG_NONE, ng.nghttp2_session_get_last_proc_stream_id(session->session),
        NGHTTP2_NO_ERROR, NULL, 0);
}
