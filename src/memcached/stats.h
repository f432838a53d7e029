/*
 * Every stat that a memcached of any version reports, and the metric it becomes: the one table that drives
 * the exporter.
 *
 * Adding a stat is adding one line to one of the table's parts, stats_*.inc. Rows of one family stand
 * together, and the order of the rows is the order of the exposition. The names that
 * prometheus/memcached_exporter uses are kept to the letter.
 */
#ifndef MEMCACHED_STATS_H
#define MEMCACHED_STATS_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The commands that are asked; the order is the order in the request. */
enum command { COMMAND_STATS, COMMAND_SETTINGS, COMMAND_ITEMS, COMMAND_SLABS, COMMAND_COUNT };

/* Sets of commands: 1u << command. */
#define COMMAND_BIT(command) (1u << (command))

struct command_info {
    const char *name;     /* the collector's name: "settings" */
    struct slice request; /* the whole line: "stats settings\r\n". Only whole, known words: since 1.6.40 a
                             prefix is enough, and "stats r" resets */
    const char *about;    /* one phrase for --help */
};
const struct command_info *command_info(enum command command);

/* The requests of all commands in the set, in their order, to be sent in one piece. */
void commands_append_request(unsigned set, struct buffer *request);

enum stat_kind { STAT_COUNTER, STAT_GAUGE, STAT_INFO };

/* How the value that the server sends becomes the sample's. */
enum stat_form {
    FORM_UNSIGNED, /* digits, passed on as they are; "-1" says that the server does not know (Dragonfly): no
                      sample */
    FORM_SIGNED,  /* an integer that may be negative; versions that printed it unsigned let it wrap: read back
                   */
    FORM_DECIMAL, /* digits with a point: seconds.microseconds of rusage, ratios; passed on as they are */
    FORM_MICROSECONDS, /* unsigned microseconds, in seconds */
    FORM_SWITCH,       /* yes/on/1 is 1, no/off/0 is 0 */
    FORM_SWITCH_PATH,  /* "no" is 0, anything else (a path) is 1 */
    FORM_LEVEL,        /* unsigned, in old versions yes or no */
    FORM_NONE_MAX,     /* unsigned; 4294967295 stands for "none": no sample */
    FORM_TEXT,   /* a string: the value of a label, the sample is 1; empty, NULL and (null): no sample */
    FORM_HIDDEN, /* known and never shown */
};

struct stat_row {
    enum command command;
    const char *key;    /* without slab class: "get_hits" for "1:get_hits", "number" for "items:1:number" */
    bool per_slab;      /* the key comes with a slab class, which becomes the label `slab` */
    const char *family; /* name of the metric; NULL for FORM_HIDDEN */
    enum stat_kind kind;
    enum stat_form form;
    const char *labels; /* constant labels as in an exposition: command="get",status="hit"; "" for none */
    const char *label;  /* FORM_TEXT: the label that takes the value */
    const char *minus;  /* blank-separated keys of the same command and class whose values are taken off; NULL
                           for none. Absent ones count as 0, the result is never below 0 */
    const char *help; /* of the family, in its first row; names the original stat; no newline, no backslash */
};

/* Rows are numbered from 0. */
#define STAT_ROWS_MAX 512
unsigned stats_count(void);
const struct stat_row *stats_row(unsigned row);

/* The row of an unknown stat. */
#define STAT_UNMAPPED UINT16_MAX

/*
 * Finds the row of a key as the server sent it and, for a per-slab row, its class. STAT_UNMAPPED if the table
 * does not know it. Takes constant time; needs no set-up.
 */
uint16_t stats_find(enum command command, struct slice key, uint32_t *slab);

/*
 * Where two rows of one family have the same labels (a stat that moved to another command), the later one is
 * used only when the earlier one is absent: this is the earlier one's number, or STAT_UNMAPPED.
 */
uint16_t stats_preferred(unsigned row);

/* The rows of `minus`, as numbers. Returns how many, at most STAT_MINUS_MAX. */
#define STAT_MINUS_MAX 3
unsigned stats_minus(unsigned row, uint16_t rows[STAT_MINUS_MAX]);

#endif
