/*
 * libcurl, loaded when the first push is set up.
 *
 * It brings some thirty libraries with it (TLS, LDAP, SSH, Kerberos ...), which would triple the memory of
 * every exporter, though few push. So the program is built with the system's headers and not linked to it:
 * without a push it is neither loaded nor needed. (LIBCURL_LINKED: it is part of the program, without those
 * libraries.)
 */
#ifndef OUTPUTS_LIBCURL_H
#define OUTPUTS_LIBCURL_H

#include <curl/curl.h>

#define LIBCURL_FUNCTIONS(each)                                                                              \
    each(easy_cleanup) each(easy_getinfo) each(easy_init) each(easy_setopt) each(easy_strerror)              \
        each(global_cleanup) each(global_init) each(multi_add_handle) each(multi_assign) each(multi_cleanup) \
            each(multi_info_read) each(multi_init) each(multi_remove_handle) each(multi_setopt)              \
                each(multi_socket_action) each(slist_append) each(slist_free_all) each(url)                  \
                    each(url_cleanup) each(url_set)

/* libcurl.easy_init() is curl_easy_init(), and so on. */
struct libcurl {
#define LIBCURL_MEMBER(name) __typeof__(&curl_##name) name;
    LIBCURL_FUNCTIONS(LIBCURL_MEMBER)
#undef LIBCURL_MEMBER
};

/* Good after libcurl_load has returned 0. */
extern struct libcurl libcurl;

/* Loads it, once; it stays. 0, or UV_ENOENT: it is not installed, or lacks a function. */
int libcurl_load(void);

#endif
