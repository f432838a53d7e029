#include "net/libcurl.h"

#include "base/library.h"
#include "net/proxy.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#ifdef LIBCURL_LINKED

#define LINK(name) .name = curl_##name,
struct libcurl libcurl = {LIBCURL_FUNCTIONS(LINK)};

int libcurl_load(void)
{
    return 0;
}

#else

struct libcurl libcurl;

static bool load(void)
{
    /* Distributions build libcurl with OpenSSL or with GnuTLS. */
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", NULL};
    bool found = true;
    void *library = library_open(names);
    if (!library) return false;
#define FIND(name) found &= library_find(library, "curl_" #name, &libcurl.name);
    LIBCURL_FUNCTIONS(FIND)
#undef FIND
    return found;
}

int libcurl_load(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static bool loaded;
    pthread_mutex_lock(&mutex);
    if (!loaded) loaded = load();
    bool result = loaded;
    pthread_mutex_unlock(&mutex);
    return result ? 0 : UV_ENOENT;
}

#endif

/*
 * Returns true if the text consists of printable ASCII without blanks. Such a text cannot break a log line or
 * a request.
 */
static bool is_printable(const char *text)
{
    while (*text > ' ' && *text < 0x7f) text++;
    return *text == '\0';
}

static CURLUcode parse_url(const char *url)
{
    bool http = strncasecmp(url, "http://", 7) == 0, https = strncasecmp(url, "https://", 8) == 0;
    /* libcurl would accept a third slash and use the path as the host. */
    if ((!http && !https) || url[https ? 8 : 7] == '/' || !is_printable(url)) return CURLUE_MALFORMED_INPUT;
    CURLU *parsed = libcurl.url();
    if (!parsed) return CURLUE_OUT_OF_MEMORY;
    CURLUcode code = libcurl.url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    libcurl.url_cleanup(parsed);
    return code;
}

const char *libcurl_url_fault(const char *url)
{
    if (libcurl_load() < 0) return "libcurl (libcurl.so.4) to be installed";
    switch (parse_url(url)) {
    case CURLUE_OK:
        return NULL;
    case CURLUE_USER_NOT_ALLOWED:
        return "no credentials in the URL";
    case CURLUE_OUT_OF_MEMORY:
        return "more memory";
    default:
        return "a URL of the form http[s]://host[:port][/path]";
    }
}

/*
 * Without QUICK_EXIT, a time-out or a cancellation during a look-up would block the loop until libcurl's
 * resolver thread has ended. With QUICK_EXIT, that thread ends by itself.
 */
static bool set_transport(CURL *easy)
{
    return libcurl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
}

CURL *libcurl_transfer_new(void)
{
    CURL *easy = libcurl.easy_init();
    if (!easy || set_transport(easy)) return easy;
    libcurl.easy_cleanup(easy);
    return NULL;
}

/* Returns a part of the URL, to be freed with libcurl.free. Returns NULL when out of memory. */
static char *url_part(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    return libcurl.url_get(parsed, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK ? text : NULL;
}

/*
 * Sets the proxy explicitly, so that libcurl does not read the environment: libcurl neither uses HTTP_PROXY
 * nor follows Go's rules. Loopback addresses never use a proxy, since a redirect may lead to them.
 */
static bool set_proxy(CURL *easy, const char *scheme, const char *host, const char *port)
{
    struct slice name = slice_of(host);
    if (slice_starts(name, "[")) name = (struct slice){name.data + 1, name.len - 2};
    const char *proxy = proxy_for(strcasecmp(scheme, "https") == 0, name, slice_of(port));
    return libcurl.easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "") == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_NOPROXY, "localhost,127.0.0.1,127.0.0.0/8,::1") == CURLE_OK;
}

bool libcurl_set_url(CURL *easy, const char *url)
{
    CURLU *parsed = libcurl.url();
    if (!parsed) return false;
    bool set = libcurl.url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK;
    char *scheme = set ? url_part(parsed, CURLUPART_SCHEME) : NULL;
    char *host = set ? url_part(parsed, CURLUPART_HOST) : NULL;
    char *port = set ? url_part(parsed, CURLUPART_PORT) : NULL;
    set = scheme && host && port && set_proxy(easy, scheme, host, port) &&
          libcurl.easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
    libcurl.free(scheme);
    libcurl.free(host);
    libcurl.free(port);
    libcurl.url_cleanup(parsed);
    return set;
}
