/* Writes text from outside (servers, clients, configuration) into an HTML page, escaped. */
#ifndef WEB_HTML_H
#define WEB_HTML_H

#include "base/buffer.h"
#include "base/slice.h"

/*
 * Appends `text` for the content of an element, or for an attribute between double quotes. Invalid UTF-8 and
 * characters that a terminal or a browser would interpret become readable escapes.
 */
void html_append(struct buffer *page, struct slice text);

/* Appends a path of this server. Characters that would end the path or the attribute are percent-encoded. */
void html_append_path(struct buffer *page, const char *path);

/* Appends a value of a URL's query. All bytes except letters, digits and -._~:/ are percent-encoded. */
void html_append_query_value(struct buffer *page, struct slice value);

#endif
