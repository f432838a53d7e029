/*
 * Reads a mapping of the file into a struct. A table lists the keys of the mapping. Each key has a function
 * that reads its value, and a member of the struct that receives the value. A key that is not in the table is
 * an error.
 *
 * Only for config/. Every reading function returns 0, UV_EINVAL or UV_ENOMEM. After UV_EINVAL, reading->error
 * has the message.
 */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include "config/config.h"
#include "document/document.h"

struct reading {
    struct arena *arena;   /* memory for all values that are kept */
    const char *directory; /* folder of the file; relative paths begin here */
    struct config *config; /* NULL if the file is not the configuration file */
    const struct config_rules *rules;
    struct buffer *error; /* already contains the name of the file */
};

/* Reads `node` into `place`. The type of `place` is the type of the member in the table. */
typedef int (*read_fn)(struct reading *reading, const struct node *node, void *place);

struct field {
    const char *key;
    read_fn read;
    size_t offset; /* offset of `place` in the struct; 0 if `read` takes the whole struct */
    bool required;
};

/*
 * The keys of a mapping. They are read in the order of the table, not of the file: keys that other keys refer
 * to come first.
 */
struct schema {
    const struct field *fields;
    size_t count;
};
#define SCHEMA(table)                                                                                        \
    {                                                                                                        \
        table, ARRAY_LEN(table)                                                                              \
    }

/* --- Reading mappings, and messages: reading.c --- */

/* Reads the values of all keys in the mapping into the struct `place`. */
int reading_mapping(struct reading *reading, const struct node *node, const struct schema *schema,
                    void *place);

/*
 * These functions write an error message and return UV_EINVAL. They report:
 * - reading_reject: a wrong value, which the message shows
 * - reading_reject_unseen: a wrong value, which the message must not show
 * - reading_reject_key: a wrong key
 * - reading_reject_missing: a key that the mapping `node` lacks
 */
int reading_reject(struct reading *reading, const struct node *node, const char *expected);
int reading_reject_unseen(struct reading *reading, const struct node *node, const char *expected);
int reading_reject_key(struct reading *reading, const struct node *node, const char *expected);
int reading_reject_missing(struct reading *reading, const struct node *node, const char *key);

/*
 * Reports an unknown name, and returns UV_EINVAL. `nearest` is a known name that was probably meant, or NULL.
 */
int reading_reject_name(struct reading *reading, const struct node *node, const char *expected,
                        const char *nearest);

/* Adds a warning about a harmless mistake. Returns 0 or UV_ENOMEM. */
int reading_warn(struct reading *reading, const struct node *node, const char *what);

/* --- Values: values.c. The comment after each function gives the type of `place` --- */

/* Returns true if the node is a scalar other than YAML's null. The empty text counts only in quotes. */
bool node_is_text(const struct node *node);

int read_text(struct reading *reading, const struct node *node, void *place); /* const char *, not empty */
int read_path(struct reading *reading, const struct node *node, void *place); /* const char * */
int read_url(struct reading *reading, const struct node *node, void *place);  /* const char * */
int read_label_name(struct reading *reading, const struct node *node, void *place); /* const char * */
int read_duration(struct reading *reading, const struct node *node, void *place);   /* uint64_t, ns above 0 */
int read_refresh(struct reading *reading, const struct node *node, void *place); /* uint64_t, ms from 1000 */
int read_port(struct reading *reading, const struct node *node, void *place);    /* uint16_t */
int read_switch(struct reading *reading, const struct node *node, void *place);  /* bool */

/* Copies `text` into the arena. */
int copy_text(struct reading *reading, struct slice text, const char **place);

/*
 * Returns true if samples of a server have a label of this name. The part `watch` must have been read before.
 */
bool reading_label_is_taken(const struct reading *reading, struct slice name);

/* --- Parts of the configuration file. `place` is a struct config --- */

/* Reads the modules. Keeps the module `default`, which config_init has made. */
int read_modules(struct reading *reading, const struct node *node, void *place);

/* Reads the groups. The modules and the target label must have been read before. */
int read_groups(struct reading *reading, const struct node *node, void *place);

int read_watch(struct reading *reading, const struct node *node, void *place);
int read_census(struct reading *reading, const struct node *node, void *place);
int read_outputs(struct reading *reading, const struct node *node, void *place);

/*
 * --- Sources of targets. `place` is a struct config_group. Each value is a mapping or a list of mappings ---
 */

int read_dns(struct reading *reading, const struct node *node, void *place);
int read_file_sd(struct reading *reading, const struct node *node, void *place);
int read_http_sd(struct reading *reading, const struct node *node, void *place);
int read_elasticache(struct reading *reading, const struct node *node, void *place);

/* Adds a DNS source to the group, for a target such as dns+host:port. */
int read_dns_target(struct reading *reading, const struct node *node, struct config_group *group);

/* --- The web configuration file: web_config.c and web_config_tls.c. Values follow Go's YAML library --- */

/* Returns true if the value is missing ("key:" or "key: ~"). The setting then keeps its default. */
bool node_is_nothing(const struct node *node);
int read_any_text(struct reading *reading, const struct node *node,
                  void *place);                                                 /* const char *, any scalar */
int read_secret(struct reading *reading, const struct node *node, void *place); /* const char *, any
                                                                                   scalar; messages never
                                                                                   show it */
int read_file_name(struct reading *reading, const struct node *node,
                   void *place); /* const char *, may be empty */
int read_yaml_bool(struct reading *reading, const struct node *node, void *place); /* bool */
int read_texts(struct reading *reading, const struct node *node, const struct slice **texts, size_t *count);

/* Reads the TLS settings. `place` is a struct web_config_tls. */
int read_web_tls(struct reading *reading, const struct node *node, void *place);

#endif
