/*
 * Loads libcurl when it is first needed: for a push, or for discovery from a URL.
 *
 * libcurl depends on some thirty libraries (TLS, LDAP, SSH, Kerberos ...), which would triple the memory of
 * every exporter, though few need them. So the program is compiled with libcurl's headers but not linked to
 * it; an exporter that neither pushes nor discovers from URLs runs without libcurl. With LIBCURL_LINKED, a
 * libcurl without those libraries is part of the program.
 */
#ifndef NET_LIBCURL_H
#define NET_LIBCURL_H

#include <curl/curl.h>
#include <stdbool.h>

#define LIBCURL_FUNCTIONS(each)                                                                              \
    each(easy_cleanup) each(easy_getinfo) each(easy_init) each(easy_setopt) each(easy_strerror)              \
        each(global_cleanup) each(global_init) each(multi_add_handle) each(multi_assign) each(multi_cleanup) \
            each(multi_info_read) each(multi_init) each(multi_remove_handle) each(multi_setopt)              \
                each(multi_socket_action) each(slist_append) each(slist_free_all) each(free) each(url)       \
                    each(url_cleanup) each(url_get) each(url_set)

/* libcurl.easy_init() is curl_easy_init(), and so on. */
struct libcurl {
#define LIBCURL_MEMBER(name) __typeof__(&curl_##name) name;
    LIBCURL_FUNCTIONS(LIBCURL_MEMBER)
#undef LIBCURL_MEMBER
};

/* Good after libcurl_load has returned 0. */
extern struct libcurl libcurl;

/*
 * Loads libcurl once and keeps it. 0, or UV_ENOENT if it is not installed or lacks a function. Takes some 20
 * ms, so it may be called on a thread beforehand.
 */
int libcurl_load(void);

/*
 * The one check of URLs, for flags, files and sources: libcurl's own parser, so that a URL that passes is a
 * URL that can be used. Loads libcurl. NULL: it is http[s]://host[:port][/path][?query] in printable ASCII,
 * without credentials, which would end up in logs. Otherwise what was expected, a constant, without the URL
 * in it.
 */
const char *libcurl_url_fault(const char *url);

/* A handle with what all transfers share: http and https alone, HTTP/1.1, certificates verified. The caller's
 * to clean up; NULL when out of memory. */
CURL *libcurl_transfer_new(void);

/*
 * Sets the URL of a transfer, which has been checked, and the proxy that net/proxy.h has for it. False when
 * out of memory.
 */
bool libcurl_set_url(CURL *easy, const char *url);

#endif
