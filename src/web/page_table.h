/*
 * The table of servers on the page at "/". Each column is a row of one table in page_table.c: its title,
 * where its value comes from, and how the value is written.
 *
 *     page_table_style -> page_table_open -> page_table_add, once for each server -> page_table_close
 *
 * A page may list a thousand servers, so a row has few elements, and a browser lays out only the visible rows
 * (content-visibility in page.css).
 */
#ifndef WEB_PAGE_TABLE_H
#define WEB_PAGE_TABLE_H

#include "base/buffer.h"
#include "targets/target_set.h"

#include <stdbool.h>
#include <stdint.h>

struct page_table {
    const struct target_set *target_set; /* borrowed, as are the paths */
    const char *scrape_path;             /* NULL: no links to single servers */
    bool with_modules;                   /* the links name the module of the server's group */
    uint64_t now_ms;                     /* time on the clock of struct history */
    bool open;                           /* the table body of a group is open */
    unsigned group;                      /* group of the open table body */
};

/* Appends the rules of CSS that come from the columns: their titles beside the values on a narrow screen. */
void page_table_style(struct buffer *out);

/* Appends the beginning of the table, up to the titles of the columns. */
void page_table_open(struct buffer *out);

/* Appends the row of a target. A heading comes first if the target begins another group. */
void page_table_add(struct page_table *table, const struct target *target, struct buffer *out);

void page_table_close(const struct page_table *table, struct buffer *out);

#endif
