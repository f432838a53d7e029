/*
 * Hundreds of servers on Unix domain sockets, which answer when the test says so. They measure how many
 * servers are asked at once. Each server answers one connection. TCP servers would need so many ports that
 * they would collide with other tests.
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
    struct crowd_connection *connection; /* first open connection; requests on others are not answered */
    bool asked;                          /* a request on `connection` waits for its answer */
    bool is_mute;                        /* set by the test: requests are never answered */
};

struct crowd {
    struct crowd_server servers[CROWD_SIZE];
    char directory[32];
    char *answer;
    size_t answer_len;
    unsigned asked;      /* number of servers that have an unanswered request */
    unsigned most_asked; /* maximum of `asked` */
};

/* Starts all servers, with short answers. Raises the limit of descriptors, since each server needs three. */
void crowd_start(struct crowd *crowd, uv_loop_t *loop);

/* Makes all further answers `len` bytes long, or slightly longer. */
void crowd_set_answer(struct crowd *crowd, size_t len);

/* Answers the pending requests of up to `most` servers. */
void crowd_answer(struct crowd *crowd, unsigned most);

/* Closes the connection of every server, as a restart does. All servers must have one. */
void crowd_hang_up(struct crowd *crowd);

/*
 * Closes the listeners and removes their paths. Clients close the connections. The memory may be freed when
 * the loop has nothing left to run.
 */
void crowd_stop(struct crowd *crowd);

#endif
