/* A scripted name server on a loopback port, on the loop of the test. */
#ifndef SUPPORT_DNS_SERVER_H
#define SUPPORT_DNS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define DNS_SERVER_FOREVER  UINT_MAX
#define DNS_SERVER_NXDOMAIN 3
#define DNS_SERVER_SERVFAIL 2

struct dns_server {
    uv_udp_t udp;
    uv_tcp_t listener, connection;
    uint8_t packet[1024]; /* what has come */
    uint8_t out[65536];   /* the answer to it, behind its length as TCP has it */
    int port;             /* 0: it may not be bound */
    bool connected;

    /* What it says about all names; may be changed between questions. */
    unsigned a;                 /* addresses 127.0.1.1 and on */
    bool aaaa;                  /* ::1 */
    unsigned srv;               /* services node-1.test and on, at port 11211; or `target` */
    const char *target;         /* of all SRV records, if not NULL; may be "" for the root */
    uint16_t port_of;           /* of all SRV records */
    uint32_t ttl;               /* seconds; 60 at the start */
    uint32_t alias_ttl;         /* not 0: by way of an alias */
    uint8_t code, code6;        /* the response codes for A or SRV, and for AAAA */
    bool truncated;             /* by UDP: the answer is to be had by TCP; so it is when it does not fit */
    unsigned cut;               /* so many bytes are missing at the end of an answer */
    unsigned silent;            /* so many packets are swallowed first */
    bool silent_a, silent_aaaa; /* questions of this type are swallowed, too */
    const char *silent_name;    /* and those for names that begin so, if not NULL */
    unsigned last_octet;        /* not 0: the address is 127.0.0.<this>, whatever `a` says */

    /* What happened. */
    unsigned packets, segments; /* questions by UDP and by TCP */
    char last[256];             /* the name that was asked for last, with dots */
};

/* Port 0: any. Without the right to bind it, `port` is 0 and nothing ever answers. */
void dns_server_start(struct dns_server *server, uv_loop_t *loop, const char *host, int port);

/* Harmless when it has been stopped; the memory is free once the loop has run out. */
void dns_server_stop(struct dns_server *server);

#endif
