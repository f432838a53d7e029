/*
 * Reads a mapping of the file into a struct. A table lists the keys of the mapping, each with the function
 * that reads its value and the member that receives it. A key that is not in the table is an error.
 *
 * For config/ only. Every function that reads returns 0; UV_EINVAL, with the line about it in reading->error;
 * or UV_ENOMEM.
 */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include "config/config.h"
#include "document/document.h"

struct reading {
    struct arena *arena;   /* takes what is kept */
    const char *directory; /* of the file, for paths */
    struct config *config; /* NULL for another file than the configuration */
    const struct config_rules *rules;
    struct buffer *error; /* has the file's name already */
};

/* Reads the node into the place, whose type is that of the member that the table names. */
typedef int (*read_fn)(struct reading *reading, const struct node *node, void *place);

struct field {
    const char *key;
    read_fn read;
    size_t offset; /* of the place in the struct; 0 where the reader takes the whole struct */
    bool required;
};

/* Keys are read in the order of the table, not of the file, so that keys that others refer to come first. */
struct schema {
    const struct field *fields;
    size_t count;
};
#define SCHEMA(table)                                                                                        \
    {                                                                                                        \
        table, ARRAY_LEN(table)                                                                              \
    }

/* --- Mechanism: reading.c --- */

/* Reads the values of all keys in the mapping. `place` is the struct that receives them. */
int reading_mapping(struct reading *reading, const struct node *node, const struct schema *schema,
                    void *place);

/*
 * Say what is wrong, and return UV_EINVAL: the value; the value, which is not to be shown; the key of the
 * value; that a key is missing in the mapping.
 */
int reading_reject(struct reading *reading, const struct node *node, const char *expected);
int reading_reject_unseen(struct reading *reading, const struct node *node, const char *expected);
int reading_reject_key(struct reading *reading, const struct node *node, const char *expected);
int reading_reject_missing(struct reading *reading, const struct node *node, const char *key);

/* The same for a name that is none of those there are; `nearest` is the one that was meant, or NULL. */
int reading_reject_name(struct reading *reading, const struct node *node, const char *expected,
                        const char *nearest);

/* Tells of something harmless; 0 or UV_ENOMEM. */
int reading_warn(struct reading *reading, const struct node *node, const char *what);

/* --- Values: values.c. The type of the place stands behind each --- */

/* Whether it is a scalar that says something; the empty text in quotes does. */
bool node_is_text(const struct node *node);

int read_text(struct reading *reading, const struct node *node, void *place); /* const char *, not empty */
int read_path(struct reading *reading, const struct node *node, void *place); /* const char * */
int read_url(struct reading *reading, const struct node *node, void *place);  /* const char * */
int read_label_name(struct reading *reading, const struct node *node, void *place); /* const char * */
int read_duration(struct reading *reading, const struct node *node, void *place);   /* uint64_t, ns above 0 */
int read_refresh(struct reading *reading, const struct node *node, void *place); /* uint64_t, ms from 1000 */
int read_port(struct reading *reading, const struct node *node, void *place);    /* uint16_t */
int read_switch(struct reading *reading, const struct node *node, void *place);  /* bool */

/* A copy in the arena. */
int copy_text(struct reading *reading, struct slice text, const char **place);

/* --- Parts of the file. The place is a struct config --- */

/* Keeps the module `default`, which is there already. */
int read_modules(struct reading *reading, const struct node *node, void *place);

/* When the modules and the target label have been read. */
int read_groups(struct reading *reading, const struct node *node, void *place);

int read_outputs(struct reading *reading, const struct node *node, void *place);

/* --- Sources. The place is a struct config_group. Each is a mapping or a list of mappings --- */

int read_dns(struct reading *reading, const struct node *node, void *place);
int read_file_sd(struct reading *reading, const struct node *node, void *place);
int read_http_sd(struct reading *reading, const struct node *node, void *place);
int read_elasticache(struct reading *reading, const struct node *node, void *place);

/* The source that a target of the group stands for. */
int read_dns_target(struct reading *reading, const struct node *node, struct config_group *group);

/*
 * --- The web configuration file: web_config.c and web_config_tls.c. Values are as the Go library takes them
 * ---
 */

/* "key:", "key: ~": leaves what was there. */
bool node_is_nothing(const struct node *node);
int read_any_text(struct reading *reading, const struct node *node,
                  void *place);                                                 /* const char *, any scalar */
int read_secret(struct reading *reading, const struct node *node, void *place); /* the same, never shown */
int read_file_name(struct reading *reading, const struct node *node,
                   void *place); /* const char *, maybe empty */
int read_yaml_bool(struct reading *reading, const struct node *node, void *place); /* bool */
int read_texts(struct reading *reading, const struct node *node, const struct slice **texts, size_t *count);

/* The place is a struct web_config_tls. */
int read_web_tls(struct reading *reading, const struct node *node, void *place);

#endif
