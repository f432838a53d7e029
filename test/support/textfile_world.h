/*
 * What the tests of the textfile share: a folder of its own, a producer of known bytes, and writes that must
 * leave nothing behind.
 */
#ifndef SUPPORT_TEXTFILE_WORLD_H
#define SUPPORT_TEXTFILE_WORLD_H

#include "outputs/textfile.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct textfile_world {
    uv_loop_t loop;
    struct textfile textfile;   /* for `path` */
    char folder[64], path[128]; /* path is folder/fleet.prom, which is not there */
    size_t descriptors;         /* open when nothing is under way */
    bool done, closed;          /* what has been called, once */
    int status;                 /* of the last write */
    const char *step;
};

/* A producer that gives `total` bytes which `seed` decides. */
struct offer {
    struct producer producer;
    size_t total, given;
    char seed;
    bool spoiled; /* its last piece asks for more than a buffer gives */
    unsigned released;
    void (*check)(struct textfile_world *world); /* at each piece; NULL for none */
    struct textfile_world *world;
};

/* For cmocka; the second insists that no descriptor and no handle is left, and removes the folder. */
int textfile_world_setup(void **state);
int textfile_world_teardown(void **state);

/* Of a textfile that is a world's. */
struct textfile_world *textfile_world_of(struct textfile *textfile);

struct offer offer_make(char seed, size_t total);

/* Fills in done, status and step. */
void on_world_done(struct textfile *textfile, int status, const char *step);

/* Starts a write that must not fail at once. */
void world_start(struct textfile_world *world, struct offer *offer);

/* Writes to the end; the producer must be released once, and nothing more be open than before. */
void world_put(struct textfile_world *world, struct offer *offer);

/* The same with an offer of so many bytes. */
void world_put_bytes(struct textfile_world *world, char seed, size_t total);

/* A write that must fail with this status in this step. */
void world_put_in_vain(struct textfile_world *world, size_t total, int status, const char *step);

/* Starts a write, closes after so many events, and makes the textfile fit for use again. Whether it was still
 * at work then; if so, its on_done must not run. */
bool world_close_after(struct textfile_world *world, struct offer *offer, unsigned events);

/* How many files there are in a folder. */
size_t entries_of(const char *folder);

/* Whether a file holds exactly what such an offer gives. */
bool content_is(const char *path, char seed, size_t total);

#endif
