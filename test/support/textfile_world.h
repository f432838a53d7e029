/*
 * Shared by the tests of the textfile: a temporary folder, a producer of known bytes, and writes that must
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
    struct textfile textfile;   /* textfile that writes to `path` */
    char folder[64], path[128]; /* path is folder/fleet.prom, which does not exist at first */
    size_t descriptors;         /* number of open descriptors while no write is in progress */
    bool done, closed;          /* callbacks that have run */
    int status;                 /* status of the last write */
    const char *step;
};

/* A producer of `total` bytes that are derived from `seed`. */
struct offer {
    struct producer producer;
    size_t total, given;
    char seed;
    bool spoiled; /* the last piece makes the buffer fail */
    unsigned released;
    void (*check)(struct textfile_world *world); /* called for each piece; or NULL */
    struct textfile_world *world;
};

/* For cmocka. The teardown checks that no descriptor and no handle is left, and removes the folder. */
int textfile_world_setup(void **state);
int textfile_world_teardown(void **state);

/* Returns the world that contains `textfile`. */
struct textfile_world *textfile_world_of(struct textfile *textfile);

struct offer offer_make(char seed, size_t total);

/* Sets done, status and step of the world. */
void on_world_done(struct textfile *textfile, int status, const char *step);

/* Starts a write. Fails the test if the write fails immediately. */
void world_start(struct textfile_world *world, struct offer *offer);

/* Writes a whole file. Checks that the producer is released once and that no descriptor is left open. */
void world_put(struct textfile_world *world, struct offer *offer);

/* Calls world_put with a new offer of `total` bytes. */
void world_put_bytes(struct textfile_world *world, char seed, size_t total);

/* Writes a file. Checks that the write fails with `status` in `step`. */
void world_put_in_vain(struct textfile_world *world, size_t total, int status, const char *step);

/*
 * Starts a write, closes the textfile after `events` events, and initialises it again. Returns true if the
 * write was still in progress at the close. Its on_done must not run then.
 */
bool world_close_after(struct textfile_world *world, struct offer *offer, unsigned events);

/* Returns the number of files in a folder. */
size_t entries_of(const char *folder);

/* Returns true if the file holds exactly the bytes of such an offer. */
bool content_is(const char *path, char seed, size_t total);

#endif
