/*
 * Loads libcurl when it is first needed: for a push, or for discovery from a URL.
 *
 * libcurl depends on about thirty libraries (TLS, LDAP, SSH, Kerberos ...). They would triple the memory of
 * every exporter, and few exporters need them. So the program is compiled with libcurl's headers but not
 * linked to libcurl. With LIBCURL_LINKED, a libcurl without those libraries is part of the program.
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

/* Usable after libcurl_load has returned 0. */
extern struct libcurl libcurl;

/*
 * Loads libcurl; later calls return at once. Returns 0, or UV_ENOENT if libcurl is not installed or lacks a
 * function. The first call takes about 20 ms. Thread-safe, so a thread can make that call in advance.
 */
int libcurl_load(void);

/*
 * Checks a URL from a flag, a file or a source with libcurl's own parser, so that libcurl can use each
 * accepted URL. Loads libcurl. Returns NULL if the URL is http[s]://host[:port][/path][?query] in printable
 * ASCII. Credentials are refused, since they would appear in logs. Otherwise returns a constant text that
 * says what was expected and does not contain the URL.
 */
const char *libcurl_url_fault(const char *url);

/*
 * Creates a handle with the options that all transfers share: only http and https, HTTP/1.1, certificates
 * verified. The caller frees it with easy_cleanup. Returns NULL when out of memory.
 */
CURL *libcurl_transfer_new(void);

/*
 * Sets the URL of a transfer, and the proxy that net/proxy.h chooses for the URL. `url` must have passed
 * libcurl_url_fault. Returns false when out of memory.
 */
bool libcurl_set_url(CURL *easy, const char *url);

#endif
