/* What this program is and how it was built: for --version, the man page and the build_info metric. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define PROGRAM_NAME "memcached_fleet_exporter"

struct build_info {
    const char *version;
    const char *revision; /* short commit, with "-dirty" behind it when files were changed; or "unknown" */
    const char *branch;   /* or "unknown"; "HEAD" when none was checked out */
    const char *compiler; /* "gcc 12.2.0" */
    const char *os;       /* os and arch as Go spells them: "linux", "amd64" */
    const char *arch;
};

/* Holds neither date nor host, so that the same source gives the same program. */
extern const struct build_info build_info;

#endif
