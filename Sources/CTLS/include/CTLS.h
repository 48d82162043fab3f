// SPDX-License-Identifier: Apache-2.0
#ifndef KINTO_CTLS_H
#define KINTO_CTLS_H
#include <stddef.h>
#include <stdint.h>

// OpenSSL 3 (libssl) and nghttp2 by the few calls that the proxy needs. Both are loaded when the first certificate is
// (dlopen(3)): a process that has none pays nothing for them, and they get their security updates from the system.

// MARK: TLS

/// Settings shared by all connections. Safe to use from several threads.
typedef struct kinto_tls kinto_tls;
/// A certificate chain with its key. Immutable; safe to use from several threads.
typedef struct kinto_tls_certificate kinto_tls_certificate;
/// One connection. Confined to one thread at a time.
typedef struct kinto_tls_stream kinto_tls_stream;

/// Finds the certificate for the name that a visitor asks for (RFC 6066, 3), NULL when it named none. NULL: refuse.
typedef const kinto_tls_certificate *(*kinto_tls_choice)(const void *certificates, const char *name);

/// Loads libssl and libcrypto. NULL, or what is in the way.
const char *kinto_tls_load(void);

/// TLS 1.2 and 1.3 for servers; `h2` whether HTTP/2 is offered (RFC 7301). NULL on failure. Kept for ever.
kinto_tls *kinto_tls_create(kinto_tls_choice choice, int h2);

/// Reads PEM texts: the certificate first, then those that lead to its issuer; and the private key that belongs to it.
/// NULL, and a reason in `error`.
kinto_tls_certificate *kinto_tls_certificate_read(
    const void *chain, size_t chain_length, const void *key, size_t key_length, char *error, size_t error_size);
void kinto_tls_certificate_free(kinto_tls_certificate *certificate);
/// Unix seconds from and until when it is valid.
int64_t kinto_tls_certificate_begins(const kinto_tls_certificate *certificate);
int64_t kinto_tls_certificate_ends(const kinto_tls_certificate *certificate);
/// Calls back with each DNS name and IP address that it is for; not NUL-terminated.
void kinto_tls_certificate_names(
    const kinto_tls_certificate *certificate, void *context, void (*each)(void *context, const char *name, size_t length));

enum {
    KINTO_TLS_ENDED = 0,
    KINTO_TLS_WANTS_INPUT = -1,
    KINTO_TLS_WANTS_OUTPUT = -2,
    KINTO_TLS_FAILED = -3,
};

/// `certificates` is what `choice` is called with; it must live until the stream is freed. NULL: out of memory.
kinto_tls_stream *kinto_tls_stream_create(kinto_tls *tls, int fd, const void *certificates);
void kinto_tls_stream_free(kinto_tls_stream *stream);
/// 1 when the handshake is done, else one of the above.
int kinto_tls_stream_accept(kinto_tls_stream *stream);
/// Whether HTTP/2 was agreed on.
int kinto_tls_stream_is_h2(const kinto_tls_stream *stream);
/// As recv(2) and send(2): how many bytes, or one of the above.
long kinto_tls_stream_read(kinto_tls_stream *stream, void *buffer, size_t size);
long kinto_tls_stream_write(kinto_tls_stream *stream, const void *bytes, size_t size);
/// Says that nothing more comes (close_notify).
void kinto_tls_stream_end(kinto_tls_stream *stream);

// MARK: HTTP/2

/// One connection. Confined to one thread at a time.
typedef struct kinto_h2 kinto_h2;

/// What happens on a connection; called from `kinto_h2_receive` and `kinto_h2_send` only. Those that return an int end
/// the stream with PROTOCOL_ERROR when it is not 0.
typedef struct {
    /// The head of a request begins.
    int (*begin)(void *context, int32_t stream);
    int (*field)(void *context, int32_t stream, const uint8_t *name, size_t name_length, const uint8_t *value,
                 size_t value_length);
    /// The head is complete; `ended`: and so is the request. Also after trailers, which are always the end.
    int (*head)(void *context, int32_t stream, int ended);
    void (*data)(void *context, int32_t stream, const uint8_t *bytes, size_t length);
    /// The end of a request that had a body.
    void (*end)(void *context, int32_t stream);
    /// The stream is gone; `code` 0 when both sides came to their end.
    void (*closed)(void *context, int32_t stream, uint32_t code);
    /// Wants bytes of the answer's body: how many, 0 for none now (see `kinto_h2_resume`); `end` when these are the last.
    size_t (*body)(void *context, int32_t stream, uint8_t *buffer, size_t size, int *end);
} kinto_h2_events;

typedef struct {
    const uint8_t *name;
    size_t name_length;
    const uint8_t *value;
    size_t value_length;
} kinto_h2_field;

/// Loads libnghttp2. NULL, or what is in the way.
const char *kinto_h2_load(void);

/// A server's side, with its first SETTINGS waiting to be sent. NULL: out of memory.
kinto_h2 *kinto_h2_create(const kinto_h2_events *events, void *context, uint32_t streams, uint32_t window,
                          uint32_t header_bytes);
void kinto_h2_free(kinto_h2 *session);
/// Takes all of the bytes. 0, or negative when the connection is to be ended.
int kinto_h2_receive(kinto_h2 *session, const void *bytes, size_t length);
/// The next bytes to send, valid until the next call: how many, 0 when there are none now, negative on failure.
long kinto_h2_send(kinto_h2 *session, const uint8_t **bytes);
/// Whether nothing more will be received or sent.
int kinto_h2_is_over(const kinto_h2 *session);
/// So many bytes of bodies went on: the visitor may send as many more.
void kinto_h2_consume(kinto_h2 *session, int32_t stream, size_t count);
/// An interim answer, or the head of the answer; `has_body`: asks for its body then.
void kinto_h2_interim(kinto_h2 *session, int32_t stream, const kinto_h2_field *fields, size_t count);
int kinto_h2_answer(kinto_h2 *session, int32_t stream, const kinto_h2_field *fields, size_t count, int has_body);
/// There are bytes of the body again, or it ended.
void kinto_h2_resume(kinto_h2 *session, int32_t stream);
/// Ends a stream (RST_STREAM).
void kinto_h2_reset(kinto_h2 *session, int32_t stream, uint32_t code);
/// Tells that new requests will not be taken any more, and then that none are (GOAWAY).
void kinto_h2_announce_end(kinto_h2 *session);
void kinto_h2_go_away(kinto_h2 *session);

#endif
