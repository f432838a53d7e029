/*
 * Every stat that any version of memcached reports, and the metric that it becomes. This one table drives the
 * exporter.
 *
 * To add a stat, add one line to a part of the table, stats_*.inc. The rows of a family must be adjacent. The
 * order of the rows is the order in the exposition. The names that prometheus/memcached_exporter uses are
 * kept exactly.
 */
#ifndef MEMCACHED_STATS_H
#define MEMCACHED_STATS_H

#include "base/slice.h"
#include "memcached/reply.h"

#include <stdbool.h>
#include <stdint.h>

/* Stats commands. Requests are sent in this order. */
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

/*
 * A set of collectors says what a target is asked and what of the answers is shown: the bits of commands, and
 * those below.
 *
 * SLAB_SUMMARY: the figures over all slab classes are shown, see memcached/slab_summary.h. They need both
 * SLAB_COMMANDS. COLLECTOR_PROBE: after the commands, the server is probed, see memcached/probe.h.
 * WITHOUT_CLASSES: of the answers to these commands, nothing by slab class is shown.
 */
#define SLAB_SUMMARY              COMMAND_BIT(COMMAND_COUNT)
#define SLAB_COMMANDS             (COMMAND_BIT(COMMAND_ITEMS) | COMMAND_BIT(COMMAND_SLABS))
#define WITHOUT_CLASSES(commands) ((commands) << 16)
#define COLLECTOR_PROBE           COMMAND_BIT(COMMAND_COUNT + 1)
#define COLLECTORS_ALL            (COMMANDS_ALL | SLAB_SUMMARY | COLLECTOR_PROBE)

/* The names of the collectors, by the number of their bit. */
#define COLLECTOR_COUNT (COMMAND_COUNT + 2)
const char *collector_name(unsigned collector);

/* Returns the bit of the collector with that name, or 0. */
unsigned collector_find(struct slice name);

/*
 * Completes a set that a user has named. For the summary, commands that were not named are asked too, and
 * nothing by slab class is shown of them. Where both are named, the summary costs nothing: `implies` adds it.
 */
unsigned collectors_complete(unsigned named, bool implies);

/* Condition on the `stats` reply of the same poll before a command may be sent. */
enum command_danger {
    DANGER_NONE,
    /* kills servers of 1.5.4 to 1.6.9 without external storage: requires extstore_limit_maxbytes */
    DANGER_CRASH,
    /* walks every item under the lock of the cache before 1.4.27: requires that version or a later one */
    DANGER_WALK,
};

struct command_info {
    const char *name; /* name of the collector: "settings" */
    /*
     * the whole request line: "stats settings\r\n". Complete, known words only: since 1.6.40 memcached also
     * takes a prefix of a word, and "stats r" resets
     */
    struct slice request;
    const char *about;    /* one phrase for --help */
    enum reply_form form; /* form of the reply */
    enum command_danger danger;
};
const struct command_info *command_info(enum command command);

/* Returns the set of commands that may be sent to any server at once. */
unsigned commands_harmless(void);

enum stat_kind {
    STAT_COUNTER,
    STAT_GAUGE,
    /* a gauge that prometheus/memcached_exporter calls a counter; only OpenMetrics shows a gauge */
    STAT_NAMED_COUNTER,
    STAT_INFO,
};

/* How the value that the server sends becomes the value of the sample. */
enum stat_form {
    FORM_UNSIGNED, /* digits, used as sent; "-1" means unknown (Dragonfly): no sample */
    /* an integer that may be negative; some versions print it as unsigned, which is converted back */
    FORM_SIGNED,
    FORM_DECIMAL,      /* digits with a point, used as sent: seconds.microseconds of rusage, ratios */
    FORM_MICROSECONDS, /* unsigned microseconds; the sample is in seconds */
    FORM_KIBIBYTES,    /* unsigned KiB; the sample is in bytes */
    FORM_SWITCH,       /* yes/on/1 is 1, no/off/0 is 0 */
    FORM_SWITCH_PATH,  /* "no" is 0, anything else (a path) is 1 */
    FORM_LEVEL,        /* unsigned, or yes or no in old versions */
    FORM_NONE_MAX,     /* unsigned; 4294967295 means "none": no sample */
    /* a string that becomes the value of a label, the sample is 1; empty, NULL and (null): no sample */
    FORM_TEXT,
    FORM_HIDDEN, /* a known stat that is never shown */
};

/* What a stat is about. A number or a name in the key becomes a label. */
enum stat_scope {
    SCOPE_SERVER, /* the whole server: "get_hits" */
    SCOPE_SLAB,   /* a slab class, label `slab`: the row "number" matches "items:1:number" */
    SCOPE_PAGE,   /* a page of external storage, label `page`: the row "bytes" matches "0:bytes" */
    /* something that users named: the row "user_" matches "user_anything". The row's key ends in '_' */
    SCOPE_NAME,
};

struct stat_row {
    enum command command;
    const char *key; /* key without number or name */
    enum stat_scope scope;
    const char *family; /* name of the metric; NULL for FORM_HIDDEN */
    enum stat_kind kind;
    enum stat_form form;
    const char *labels; /* constant labels in exposition format: command="get",status="hit"; "" for none */
    const char *label;  /* FORM_TEXT: label that takes the value. SCOPE_NAME: label that takes the name */
    /*
     * blank-separated keys of the same command and number, whose values are subtracted; NULL for none. Absent
     * keys count as 0. The result is never below 0
     */
    const char *minus;
    /* help of the family, in its first row; names the original stat; no newline, no backslash */
    const char *help;
};

/* Rows are numbered from 0. */
#define STAT_ROWS_MAX 512
uint16_t stats_count(void);
const struct stat_row *stats_row(unsigned row);

/* The few facts about a row that every one of its lines needs, packed closely. */
struct stat_traits {
    uint8_t form, scope;
    bool may_be_planned; /* a session need not see the lines of this row, see memcached/reply_plan.h */
    bool plain;          /* has no name, and the sample depends on no other line */
};
const struct stat_traits *stats_traits(unsigned row);

/* Rows of unknown stats with a number, and of unknown stats with a text. Both are above all other rows. */
#define STAT_UNMAPPED      0x3ffd
#define STAT_UNMAPPED_TEXT 0x3ffe

static inline bool stats_is_unmapped(uint16_t row)
{
    return row >= STAT_UNMAPPED;
}

/* Returns the label of the number in a row's key: "slab", "page", or NULL if it has no number. */
const char *stats_number_label(const struct stat_row *row);

/*
 * Returns the row of a key as sent, or STAT_UNMAPPED if the table does not know the key. Sets `number` to the
 * slab class or page in the key, else 0. The name of a SCOPE_NAME row is the text after the row's key. Takes
 * constant time; needs no set-up.
 */
uint16_t stats_find(enum command command, struct slice key, uint32_t *number);

/*
 * Returns the row that is used instead of this one if both are present, or STAT_UNMAPPED. When a stat moved
 * to another command, two rows of a family have the same labels. The earlier row is preferred.
 */
uint16_t stats_preferred(unsigned row);

/* Sets `rows` to the rows of `minus`. Returns their number, at most STAT_MINUS_MAX. */
#define STAT_MINUS_MAX 3
unsigned stats_minus(unsigned row, uint16_t rows[STAT_MINUS_MAX]);

#endif
