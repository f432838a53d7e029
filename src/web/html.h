/* Texts of others in a page: what a server, a client or a configuration said is escaped here. */
#ifndef WEB_HTML_H
#define WEB_HTML_H

#include "base/buffer.h"
#include "base/slice.h"

/*
 * For an element, or an attribute between double quotes. Bytes that are no UTF-8, and characters that a
 * terminal or a browser would act upon, become an escape that a person can read.
 */
void html_append(struct buffer *page, struct slice text);

/* A path of this server: what would end it, or begin an escape in a URL, is written as an escape. */
void html_append_path(struct buffer *page, const char *path);

/* A value in the query of a URL; everything but letters, digits and a few marks is escaped. */
void html_append_query_value(struct buffer *page, struct slice value);

#endif
