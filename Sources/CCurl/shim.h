// SPDX-License-Identifier: Apache-2.0
#ifndef KINTO_CCURL_SHIM_H
#define KINTO_CCURL_SHIM_H

#include <curl/curl.h>

// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call: one wrapper per type of argument.
typedef size_t (*kinto_curl_write)(char *data, size_t size, size_t count, void *context);
typedef size_t (*kinto_curl_read)(char *data, size_t size, size_t count, void *context);
typedef int (*kinto_curl_debug)(CURL *curl, curl_infotype kind, char *data, size_t size, void *context);
typedef int (*kinto_curl_progress)(void *context, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow);

static inline CURLcode kinto_curl_set_long(CURL *curl, CURLoption option, long value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode kinto_curl_set_offset(CURL *curl, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode kinto_curl_set_string(CURL *curl, CURLoption option, const char *value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode kinto_curl_set_pointer(CURL *curl, CURLoption option, void *value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode kinto_curl_set_write(CURL *curl, CURLoption option, kinto_curl_write value) {
    return curl_easy_setopt(curl, option, value);
}
static inline CURLcode kinto_curl_set_read(CURL *curl, kinto_curl_read value) {
    return curl_easy_setopt(curl, CURLOPT_READFUNCTION, value);
}
static inline CURLcode kinto_curl_set_debug(CURL *curl, kinto_curl_debug value) {
    return curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, value);
}
// The bytes are copied.
static inline CURLcode kinto_curl_set_blob(CURL *curl, CURLoption option, const void *data, size_t size) {
    struct curl_blob blob = {(void *)data, size, CURL_BLOB_COPY};
    return curl_easy_setopt(curl, option, &blob);
}
static inline CURLcode kinto_curl_set_progress(CURL *curl, kinto_curl_progress value) {
    return curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, value);
}
static inline CURLcode kinto_curl_set_open_socket(CURL *curl, curl_opensocket_callback value) {
    return curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, value);
}
static inline CURLcode kinto_curl_get_offset(CURL *curl, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(curl, info, value);
}
static inline CURLcode kinto_curl_get_long(CURL *curl, CURLINFO info, long *value) {
    return curl_easy_getinfo(curl, info, value);
}
static inline CURLcode kinto_curl_get_string(CURL *curl, CURLINFO info, char **value) {
    return curl_easy_getinfo(curl, info, value);
}

#endif
