// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "Library.h"
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>

// The calls by their names in the library; a wrong type does not compile.
#define CALLS(X) \
    X(ASN1_STRING_get0_data) X(ASN1_STRING_length) X(ASN1_TIME_to_tm) X(BIO_free) X(BIO_new_mem_buf) \
    X(ERR_clear_error) X(ERR_error_string_n) X(ERR_get_error) X(ERR_peek_last_error) X(ERR_reason_error_string) \
    X(EVP_PKEY_free) X(GENERAL_NAMES_free) X(GENERAL_NAME_get0_value) X(OPENSSL_sk_free) X(OPENSSL_sk_new_null) \
    X(OPENSSL_sk_num) X(OPENSSL_sk_pop_free) X(OPENSSL_sk_push) X(OPENSSL_sk_value) X(PEM_read_bio_PrivateKey) \
    X(PEM_read_bio_X509) X(SSL_CTX_ctrl) X(SSL_CTX_callback_ctrl) X(SSL_CTX_new) X(SSL_CTX_set_alpn_select_cb) \
    X(SSL_CTX_set_cipher_list) X(SSL_CTX_set_options) X(SSL_accept) X(SSL_ctrl) X(SSL_free) X(SSL_get0_alpn_selected) \
    X(SSL_get_error) X(SSL_get_ex_data) X(SSL_get_servername) X(SSL_new) X(SSL_read) X(SSL_set_ex_data) X(SSL_set_fd) \
    X(SSL_shutdown) X(SSL_use_cert_and_key) X(SSL_write) X(TLS_server_method) X(X509_check_private_key) X(X509_free) \
    X(X509_NAME_get_text_by_NID) X(X509_get0_notAfter) X(X509_get0_notBefore) X(X509_get_ext_d2i) \
    X(X509_get_subject_name)

static struct {
#define POINTER(name) __typeof__(&name) name;
    CALLS(POINTER)
} ossl;

static const char *names[] = {
#define NAME(name) #name,
    CALLS(NAME)
};

static struct kinto_library library = {
    .files = {"libcrypto.so.3", "libssl.so.3"}, .names = names, .count = sizeof names / sizeof *names,
    .calls = (void **)&ossl, .package = "libssl3", .lock = PTHREAD_MUTEX_INITIALIZER};

const char *kinto_tls_load(void) { return kinto_library_load(&library); }

// MARK: Certificates

struct kinto_tls_certificate {
    X509 *leaf;
    EVP_PKEY *key;
    OPENSSL_STACK *chain; // of X509, without the leaf
};

static void free_x509(void *certificate) { ossl.X509_free(certificate); }

void kinto_tls_certificate_free(kinto_tls_certificate *certificate) {
    if (!certificate) return;
    ossl.X509_free(certificate->leaf);
    ossl.EVP_PKEY_free(certificate->key);
    if (certificate->chain) ossl.OPENSSL_sk_pop_free(certificate->chain, free_x509);
    free(certificate);
}

/// A key that wants a password is refused: nobody is there to be asked.
static int no_password(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing;
    *(int *)context = 1;
    return -1;
}

kinto_tls_certificate *kinto_tls_certificate_read(
    const void *chain, size_t chain_length, const void *key, size_t key_length, char *error, size_t error_size) {
    const char *problem = NULL;
    int asked = 0;
    BIO *in = NULL;
    kinto_tls_certificate *made = calloc(1, sizeof *made);
    if (!made || chain_length > 1 << 20 || key_length > 1 << 20) {
        problem = "it is too large";
        goto failed;
    }
    ossl.ERR_clear_error();
    in = ossl.BIO_new_mem_buf(chain, (int)chain_length);
    made->chain = ossl.OPENSSL_sk_new_null();
    if (!in || !made->chain) {
        problem = "out of memory";
        goto failed;
    }
    made->leaf = ossl.PEM_read_bio_X509(in, NULL, no_password, &asked);
    if (!made->leaf) {
        problem = "the certificate file holds no certificate in PEM form";
        goto failed;
    }
    for (;;) {
        X509 *next = ossl.PEM_read_bio_X509(in, NULL, no_password, &asked);
        if (!next) break;
        if (ossl.OPENSSL_sk_push(made->chain, next) <= 0) {
            ossl.X509_free(next);
            problem = "out of memory";
            goto failed;
        }
    }
    unsigned long last = ossl.ERR_peek_last_error();
    if (last && ERR_GET_REASON(last) != PEM_R_NO_START_LINE) {
        problem = "the certificate file is damaged after its first certificate";
        goto failed;
    }
    ossl.BIO_free(in);
    ossl.ERR_clear_error();
    in = ossl.BIO_new_mem_buf(key, (int)key_length);
    made->key = in ? ossl.PEM_read_bio_PrivateKey(in, NULL, no_password, &asked) : NULL;
    if (!made->key) {
        problem = asked ? "the key wants a password; take it off with: openssl pkey -in KEY -out NEWKEY"
                        : "the key file holds no private key in PEM form";
        goto failed;
    }
    if (!ossl.X509_check_private_key(made->leaf, made->key)) {
        problem = "the key does not belong to the certificate";
        goto failed;
    }
    ossl.BIO_free(in);
    ossl.ERR_clear_error();
    return made;
failed:
    if (error_size) snprintf(error, error_size, "%s", problem);
    if (in) ossl.BIO_free(in);
    kinto_tls_certificate_free(made);
    ossl.ERR_clear_error();
    return NULL;
}

static int64_t seconds(const ASN1_TIME *time) {
    struct tm parts;
    return time && ossl.ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) : 0;
}

int64_t kinto_tls_certificate_begins(const kinto_tls_certificate *certificate) {
    return seconds(ossl.X509_get0_notBefore(certificate->leaf));
}

int64_t kinto_tls_certificate_ends(const kinto_tls_certificate *certificate) {
    return seconds(ossl.X509_get0_notAfter(certificate->leaf));
}

void kinto_tls_certificate_names(
    const kinto_tls_certificate *certificate, void *context, void (*each)(void *, const char *, size_t)) {
    OPENSSL_STACK *list = ossl.X509_get_ext_d2i(certificate->leaf, NID_subject_alt_name, NULL, NULL);
    if (!list) {
        // Without alternative names, the old place (RFC 2818, 3.1).
        char name[256];
        int length = ossl.X509_NAME_get_text_by_NID(
            ossl.X509_get_subject_name(certificate->leaf), NID_commonName, name, sizeof name);
        if (length > 0 && strlen(name) == (size_t)length) each(context, name, (size_t)length);
        return;
    }
    for (int index = 0; index < ossl.OPENSSL_sk_num(list); index++) {
        int type = 0;
        const ASN1_STRING *value = ossl.GENERAL_NAME_get0_value(ossl.OPENSSL_sk_value(list, index), &type);
        if (!value) continue;
        const void *data = ossl.ASN1_STRING_get0_data(value);
        int length = ossl.ASN1_STRING_length(value);
        if (type == GEN_DNS && length > 0) each(context, data, (size_t)length);
        char text[INET6_ADDRSTRLEN];
        if (type == GEN_IPADD && (length == 4 || length == 16)
            && inet_ntop(length == 4 ? AF_INET : AF_INET6, data, text, sizeof text))
            each(context, text, strlen(text));
    }
    ossl.GENERAL_NAMES_free((GENERAL_NAMES *)list);
}

// MARK: Settings

static kinto_tls_choice choose;
static int offers_h2;

static int named(SSL *ssl, int *alert, void *context) {
    (void)context;
    const kinto_tls_certificate *found =
        choose(ossl.SSL_get_ex_data(ssl, 0), ossl.SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    if (!found) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (!ossl.SSL_use_cert_and_key(ssl, found->leaf, found->key, (STACK_OF(X509) *)found->chain, 1)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_TLSEXT_ERR_OK;
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
                           unsigned int length, void *context) {
    (void)ssl, (void)context;
    // Ours first: HTTP/2 when both have it.
    static const char *ours[] = {"h2", "http/1.1"};
    for (int own = offers_h2 ? 0 : 1; own < 2; own++) {
        size_t wanted = strlen(ours[own]);
        for (unsigned int at = 0; at < length && at + 1 + in[at] <= length; at += 1 + in[at])
            if (in[at] == wanted && !memcmp(in + at + 1, ours[own], wanted)) {
                *out = in + at + 1;
                *out_length = in[at];
                return SSL_TLSEXT_ERR_OK;
            }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

kinto_tls *kinto_tls_create(kinto_tls_choice choice, int h2) {
    SSL_CTX *context = ossl.SSL_CTX_new(ossl.TLS_server_method());
    if (!context) return NULL;
    choose = choice;
    offers_h2 = h2;
    // Mozilla's "intermediate" of 2024: everything since Firefox 27, Android 4.4, Java 8u31.
    ossl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    ossl.SSL_CTX_set_cipher_list(
        context,
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305");
    ossl.SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF
                     | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    ossl.SSL_CTX_ctrl(context, SSL_CTRL_MODE,
                      SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS,
                      NULL);
    // Sessions are resumed by tickets, which the visitor keeps; nothing is kept here.
    ossl.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    ossl.SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, (void (*)(void))named);
    ossl.SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
    return (kinto_tls *)context;
}

// MARK: Connections

#define SSL_OF(stream) ((SSL *)(stream))

kinto_tls_stream *kinto_tls_stream_create(kinto_tls *tls, int fd, const void *certificates) {
    SSL *ssl = ossl.SSL_new((SSL_CTX *)tls);
    if (!ssl) return NULL;
    if (!ossl.SSL_set_fd(ssl, fd) || !ossl.SSL_set_ex_data(ssl, 0, (void *)certificates)) {
        ossl.SSL_free(ssl);
        return NULL;
    }
    return (kinto_tls_stream *)ssl;
}

void kinto_tls_stream_free(kinto_tls_stream *stream) { ossl.SSL_free(SSL_OF(stream)); }

static int outcome(kinto_tls_stream *stream, int result) {
    switch (ossl.SSL_get_error(SSL_OF(stream), result)) {
    case SSL_ERROR_WANT_READ: return KINTO_TLS_WANTS_INPUT;
    case SSL_ERROR_WANT_WRITE: return KINTO_TLS_WANTS_OUTPUT;
    case SSL_ERROR_ZERO_RETURN: return KINTO_TLS_ENDED;
    default: return KINTO_TLS_FAILED;
    }
}

// The queue of errors is the thread's: what another connection left there would be read as this one's.

int kinto_tls_stream_accept(kinto_tls_stream *stream) {
    ossl.ERR_clear_error();
    int result = ossl.SSL_accept(SSL_OF(stream));
    return result == 1 ? 1 : result == 0 ? KINTO_TLS_FAILED : outcome(stream, result);
}

int kinto_tls_stream_is_h2(const kinto_tls_stream *stream) {
    const unsigned char *name = NULL;
    unsigned int length = 0;
    ossl.SSL_get0_alpn_selected((const SSL *)stream, &name, &length);
    return length == 2 && !memcmp(name, "h2", 2);
}

long kinto_tls_stream_read(kinto_tls_stream *stream, void *buffer, size_t size) {
    ossl.ERR_clear_error();
    int result = ossl.SSL_read(SSL_OF(stream), buffer, size > 1 << 20 ? 1 << 20 : (int)size);
    return result > 0 ? result : outcome(stream, result);
}

long kinto_tls_stream_write(kinto_tls_stream *stream, const void *bytes, size_t size) {
    ossl.ERR_clear_error();
    int result = ossl.SSL_write(SSL_OF(stream), bytes, size > 1 << 20 ? 1 << 20 : (int)size);
    return result > 0 ? result : outcome(stream, result);
}

void kinto_tls_stream_end(kinto_tls_stream *stream) {
    ossl.ERR_clear_error();
    ossl.SSL_shutdown(SSL_OF(stream));
}
