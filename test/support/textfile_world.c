#include "textfile_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "loop.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char byte_at(char seed, size_t at)
{
    return (char) ('!' + ((size_t) seed + at * 7 + at / 4096) % 90);
}

static bool offer_fill(struct producer *producer, struct buffer *out, size_t want)
{
    struct offer *offer = container_of(producer, struct offer, producer);
    assert_int_equal(offer->released, 0);
    assert_int_equal(out->len, 0);
    if (offer->check) offer->check(offer->world);
    size_t n = offer->total - offer->given < want + 5 ? offer->total - offer->given : want + 5;
    char *at = n ? buffer_reserve(out, n) : NULL;
    for (size_t i = 0; i < n; i++) at[i] = byte_at(offer->seed, offer->given + i);
    out->len += n;
    offer->given += n;
    if (offer->spoiled && offer->given == offer->total) buffer_reserve(out, SIZE_MAX / 2);
    return offer->given < offer->total;
}

static void offer_release(struct producer *producer)
{
    container_of(producer, struct offer, producer)->released++;
}

struct offer offer_make(char seed, size_t total)
{
    return (struct offer){.producer = {offer_fill, offer_release}, .seed = seed, .total = total};
}

size_t entries_of(const char *path)
{
    size_t count = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder)) count++;
    closedir(folder);
    return count - 2; /* without . and .. */
}

bool content_is(const char *path, char seed, size_t total)
{
    FILE *file = fopen(path, "r");
    if (!file) return false;
    size_t at = 0;
    int c;
    while ((c = getc_unlocked(file)) != EOF && (char) c == byte_at(seed, at)) at++;
    bool whole = c == EOF && at == total;
    fclose(file);
    return whole;
}

int textfile_world_setup(void **state)
{
    struct textfile_world *world = calloc(1, sizeof(*world));
    strcpy(world->folder, "/tmp/textfile-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->path, sizeof(world->path), "%s/fleet.prom", world->folder);
    loop_open(&world->loop);
    textfile_init(&world->textfile, &world->loop, world->path);
    world->descriptors = entries_of("/proc/self/fd");
    *state = world;
    return 0;
}

static int on_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void) status, (void) type, (void) place;
    return remove(path);
}

int textfile_world_teardown(void **state)
{
    struct textfile_world *world = *state;
    assert_int_equal(entries_of("/proc/self/fd"), world->descriptors);
    loop_close(&world->loop);
    nftw(world->folder, on_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(world);
    return 0;
}

struct textfile_world *textfile_world_of(struct textfile *textfile)
{
    return container_of(textfile, struct textfile_world, textfile);
}

void on_world_done(struct textfile *textfile, int status, const char *step)
{
    struct textfile_world *world = textfile_world_of(textfile);
    assert_false(world->done);
    assert_int_equal(step == NULL, status == 0);
    world->done = true;
    world->status = status;
    world->step = step;
}

void world_start(struct textfile_world *world, struct offer *offer)
{
    world->done = false;
    assert_int_equal(textfile_write(&world->textfile, &offer->producer, on_world_done), 0);
    assert_false(world->done);
}

void world_put(struct textfile_world *world, struct offer *offer)
{
    world_start(world, offer);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(offer->released, 1);
    assert_int_equal(entries_of("/proc/self/fd"), world->descriptors);
}

void world_put_bytes(struct textfile_world *world, char seed, size_t total)
{
    struct offer offer = offer_make(seed, total);
    world_put(world, &offer);
}

void world_put_in_vain(struct textfile_world *world, size_t total, int status, const char *step)
{
    world_put_bytes(world, 'x', total);
    assert_int_equal(world->status, status);
    assert_string_equal(world->step, step);
}

static void on_closed(struct textfile *textfile)
{
    struct textfile_world *world = textfile_world_of(textfile);
    assert_false(world->closed);
    world->closed = true;
}

bool world_close_after(struct textfile_world *world, struct offer *offer, unsigned events)
{
    world->closed = false;
    world_start(world, offer);
    for (unsigned n = 0; n < events && !world->done; n++) uv_run(&world->loop, UV_RUN_ONCE);
    bool done = world->done;
    textfile_close(&world->textfile, on_closed);
    assert_false(world->closed);
    assert_int_equal(offer->released, 1);
    loop_run_until(&world->loop, &world->closed);
    assert_int_equal(world->done, done);
    assert_int_equal(offer->released, 1);
    assert_int_equal(entries_of("/proc/self/fd"), world->descriptors);
    textfile_init(&world->textfile, &world->loop, world->path);
    return !done;
}
