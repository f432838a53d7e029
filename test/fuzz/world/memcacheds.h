/*
 * Scripted memcached servers at 10.0.0.1:11211, 10.0.0.2:11211 and so on. Each answers every `stats` with a
 * number of its own, never twice the same, as current_items; so a scrape shows which reply it is made of.
 */
#ifndef FUZZ_MEMCACHEDS_H
#define FUZZ_MEMCACHEDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define MEMCACHEDS_MAX 6

/* How a server behaves. The first ones are healthy: whatever happens, their targets must be up. */
enum manner {
    MANNER_PROMPT,
    MANNER_SLOW,      /* each piece some milliseconds after the other */
    MANNER_PARTING,   /* closes the connection after each answer */
    MANNER_FORGETFUL, /* a connection is dead after its first answer, and nobody is told */
    MANNER_REFUSING,  /* refuses commands other than `stats` */
    MANNER_HEALTHY_END,
    MANNER_CLOSED = MANNER_HEALTHY_END, /* refuses connections */
    MANNER_UNREACHABLE,                 /* connect() itself fails */
    MANNER_SILENT,                      /* connections are never established */
    MANNER_DEAF,                        /* connections are established, and that is all */
    MANNER_CUT,                         /* ends within a reply */
    MANNER_RESET,                       /* breaks off within a reply */
    MANNER_STUCK,                       /* stops within a reply */
    MANNER_DOUBLE,                      /* answers twice */
    MANNER_LATE,                        /* answers when nobody waits any more */
    MANNER_FLOOD,                       /* never comes to an end */
    MANNER_GARBAGE,                     /* sends bytes of the script */
    MANNER_FULL,                        /* has too many connections */
    MANNER_BINARY,                      /* answers text in the binary protocol */
    MANNER_COUNT
};

/* Forgets all servers and begins anew, each of them prompt. */
void memcacheds_begin(void);
void memcacheds_set(unsigned server, enum manner manner);

/* Returns the time since when a server has been healthy, or NEVER if it is not. */
uint64_t memcacheds_healthy_since(unsigned server);

/*
 * Returns the tick at which the program read the end of the reply with this number, 0 if there was no such
 * reply of this server, or NEVER if it was not read to its end.
 */
uint64_t memcacheds_read_tick(unsigned server, uint64_t number);

/* For connect(): see struct outside. */
int memcacheds_connect(int descriptor, const struct sockaddr *name);

#endif
