/* The program's name, version and build. For --version, the man page and the build_info metric. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define PROGRAM_NAME "memcached_fleet_exporter"

struct build_info {
    const char *version;
    const char *revision; /* short commit, plus "-dirty" if files were changed; or "unknown" */
    const char *branch;   /* or "unknown"; "HEAD" if no branch was checked out */
    const char *compiler; /* for example "gcc 12.2.0" */
    const char *os;       /* os and arch in Go's spelling: "linux", "amd64" */
    const char *arch;
};

/* Contains neither date nor host, so that the same source gives the same program. */
extern const struct build_info build_info;

#endif
