/* A scripted name server on a loopback port, on the test's loop. */
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
    uint8_t packet[1024]; /* received packet */
    uint8_t out[65536];   /* answer, after two bytes for the length that TCP needs */
    int port;             /* 0 if the port could not be bound */
    bool connected;

    /* The script, for all names; may be changed between questions. */
    unsigned a;          /* number of A records: 127.0.1.1, 127.0.1.2, ... */
    bool aaaa;           /* true: there is one AAAA record, ::1 */
    unsigned srv;        /* number of SRV records: node-1.test, node-2.test, ..., or `target` */
    const char *target;  /* target of all SRV records, if not NULL; may be "" for the root */
    uint16_t port_of;    /* port of all SRV records */
    uint32_t ttl;        /* TTL of records in seconds; 60 at first */
    uint32_t alias_ttl;  /* TTL of a CNAME record; 0: answer without a CNAME record */
    uint8_t code, code6; /* response codes for A or SRV, and for AAAA */
    bool truncated;      /* true: answers by UDP are truncated; answers too long for a datagram always are */
    unsigned cut;        /* number of bytes to cut off the end of an answer */
    unsigned silent;     /* number of packets to ignore first */
    bool silent_a, silent_aaaa; /* true: ignore questions of this type */
    const char *silent_name;    /* ignore questions for names with this prefix, if not NULL */
    unsigned last_octet;        /* if not 0: A records have the address 127.0.0.<last_octet> */

    /* Records for the test to check. */
    unsigned packets, segments; /* number of questions by UDP and by TCP */
    char last[256];             /* the last name that was asked for, with dots */
};

/*
 * Starts the server. Port 0 means any free port. If the port cannot be bound, `server->port` is 0 and the
 * server never answers.
 */
void dns_server_start(struct dns_server *server, uv_loop_t *loop, const char *host, int port);

/* Stops the server, if it is running. The memory may be freed when the loop has nothing left to run. */
void dns_server_stop(struct dns_server *server);

#endif
