/*
 * Hundreds of servers on unix-domain sockets, each with one connection, which answer when the test says so:
 * for how many of them are asked at once. So many ports would meet those of other tests.
 */
#ifndef SUPPORT_CROWD_H
#define SUPPORT_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define CROWD_SIZE 400

struct crowd;

struct crowd_connection {
    struct crowd_server *server;
    uv_pipe_t pipe;
};

struct crowd_server {
    struct crowd *crowd;
    uv_pipe_t listener;
    char path[64];
    struct crowd_connection *connection; /* the one that is answered; a second one beside it never is */
    bool asked;                          /* a request on it waits for its answer */
    bool is_mute;                        /* and will never have one */
};

struct crowd {
    struct crowd_server servers[CROWD_SIZE];
    char directory[32];
    char *answer;
    size_t answer_len;
    unsigned asked;      /* who wait for their answer */
    unsigned most_asked; /* ever */
};

/* All of them listen, and answer in a few bytes. Raises the limit of descriptors: each needs three. */
void crowd_start(struct crowd *crowd, uv_loop_t *loop);

/* From now on an answer is as long as that, or a little longer. */
void crowd_set_answer(struct crowd *crowd, size_t len);

/* Answers up to `most` of those who were asked. */
void crowd_answer(struct crowd *crowd, unsigned most);

/* Ends every connection, as a restart does. All must be open. */
void crowd_hang_up(struct crowd *crowd);

/* Ends the listeners and removes their paths; connections end by their clients. The memory is free once the
 * loop has run out. */
void crowd_stop(struct crowd *crowd);

#endif
