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

#include "base/slice.h"
#include "memcached/reply.h"

#include <stdbool.h>
#include <stdint.h>

/* The commands that are asked; the order is the order in the request. */
enum command {
    COMMAND_STATS,
    COMMAND_SETTINGS,
    COMMAND_ITEMS,
    COMMAND_SLABS,
    COMMAND_SIZES,
    COMMAND_CONNS,
    COMMAND_DETAIL,
    COMMAND_EXTSTORE,
    COMMAND_PROXY,
    COMMAND_PROXYFUNCS,
    COMMAND_PROXYBE,
    COMMAND_COUNT,
};

/* Sets of commands: 1u << command. */
#define COMMAND_BIT(command) (1u << (command))
#define COMMANDS_ALL         (COMMAND_BIT(COMMAND_COUNT) - 1)

/* In a set of commands that a target may be asked: of `stats slabs`, show the totals, and nothing by slab
 * class. */
#define SLABS_TOTALS_ONLY COMMAND_BIT(COMMAND_COUNT)

/* What the `stats` of the same poll must have said before a command is sent. */
enum command_danger {
    DANGER_NONE,
    DANGER_CRASH, /* kills servers of 1.5.4 to 1.6.9 that have no external storage: only after
                     extstore_limit_maxbytes */
    DANGER_WALK,  /* before 1.4.27 it walks every item under the lock of the cache: only after a later version
                   */
};

struct command_info {
    const char *name;     /* the collector's name: "settings" */
    struct slice request; /* the whole line: "stats settings\r\n". Only whole, known words: since 1.6.40 a
                             prefix is enough, and "stats r" resets */
    const char *about;    /* one phrase for --help */
    enum reply_form form; /* of its reply */
    enum command_danger danger;
};
const struct command_info *command_info(enum command command);

/* The commands that are sent to any server at once. */
unsigned commands_harmless(void);

enum stat_kind {
    STAT_COUNTER,
    STAT_GAUGE,
    STAT_NAMED_COUNTER, /* a gauge that prometheus/memcached_exporter calls a counter, as 0.0.4 does here */
    STAT_INFO,
};

/* How the value that the server sends becomes the sample's. */
enum stat_form {
    FORM_UNSIGNED, /* digits, passed on as they are; "-1" says that the server does not know (Dragonfly): no
                      sample */
    FORM_SIGNED,  /* an integer that may be negative; versions that printed it unsigned let it wrap: read back
                   */
    FORM_DECIMAL, /* digits with a point: seconds.microseconds of rusage, ratios; passed on as they are */
    FORM_MICROSECONDS, /* unsigned microseconds, in seconds */
    FORM_KIBIBYTES,    /* unsigned KiB, in bytes */
    FORM_SWITCH,       /* yes/on/1 is 1, no/off/0 is 0 */
    FORM_SWITCH_PATH,  /* "no" is 0, anything else (a path) is 1 */
    FORM_LEVEL,        /* unsigned, in old versions yes or no */
    FORM_NONE_MAX,     /* unsigned; 4294967295 stands for "none": no sample */
    FORM_TEXT,   /* a string: the value of a label, the sample is 1; empty, NULL and (null): no sample */
    FORM_HIDDEN, /* known and never shown */
};

/* What a stat is about; the number or the name in its key becomes a label. */
enum stat_scope {
    SCOPE_SERVER, /* the whole: "get_hits" */
    SCOPE_SLAB,   /* a slab class, label `slab`: "number" stands for "items:1:number" */
    SCOPE_PAGE,   /* a page of external storage, label `page`: "bytes" stands for "0:bytes" */
    SCOPE_NAME,   /* something that users named: "user_" stands for "user_anything". The key ends in '_' */
};

struct stat_row {
    enum command command;
    const char *key; /* without number or name */
    enum stat_scope scope;
    const char *family; /* name of the metric; NULL for FORM_HIDDEN */
    enum stat_kind kind;
    enum stat_form form;
    const char *labels; /* constant labels as in an exposition: command="get",status="hit"; "" for none */
    const char
        *label; /* FORM_TEXT: the label that takes the value. SCOPE_NAME: the one that takes the name */
    const char *minus; /* blank-separated keys of the same command and number whose values are taken off; NULL
                          for none. Absent ones count as 0, the result is never below 0 */
    const char *help; /* of the family, in its first row; names the original stat; no newline, no backslash */
};

/* Rows are numbered from 0. */
#define STAT_ROWS_MAX 512
unsigned stats_count(void);
const struct stat_row *stats_row(unsigned row);

/* What every line of a row is looked at for, beside the rest of the table: few bytes, near each other. */
struct stat_traits {
    uint8_t form, scope;
    bool may_be_planned; /* its lines need not be seen by a session, see memcached/reply_plan.h */
    bool plain;          /* a value becomes a sample as it is sent, whatever else was sent */
};
const struct stat_traits *stats_traits(unsigned row);

/* The rows of unknown stats, beyond all others: of those with a number, then of those with a text. */
#define STAT_UNMAPPED      0x3ffe
#define STAT_UNMAPPED_TEXT 0x3fff

static inline bool stats_is_unmapped(uint16_t row)
{
    return row >= STAT_UNMAPPED;
}

/* The label of the number in a row's key: "slab", "page", or NULL when there is none. */
const char *stats_number_label(const struct stat_row *row);

/*
 * Finds the row of a key as the server sent it and the class or page in it, else 0. STAT_UNMAPPED if the
 * table does not know it. The name of a SCOPE_NAME row is what follows the row's key. Takes constant time;
 * needs no set-up.
 */
uint16_t stats_find(enum command command, struct slice key, uint32_t *number);

/*
 * Where two rows of one family have the same labels (a stat that moved to another command), the later one is
 * used only when the earlier one is absent: this is the earlier one's number, or STAT_UNMAPPED.
 */
uint16_t stats_preferred(unsigned row);

/* The rows of `minus`, as numbers. Returns how many, at most STAT_MINUS_MAX. */
#define STAT_MINUS_MAX 3
unsigned stats_minus(unsigned row, uint16_t rows[STAT_MINUS_MAX]);

#endif
