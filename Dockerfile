# syntax=docker/dockerfile:1
#
#   docker build --build-arg REVISION=$(git rev-parse HEAD) -t memcached-fleet-exporter .
#   docker build --build-arg REVISION=$(git rev-parse HEAD) --target noshell -t memcached-fleet-exporter:noshell .
#
# Two images of the same program and libraries: the first is a Debian with a shell, the second has those files and nothing
# else. `./dev image` builds both. .git is not in the build's context, so the revision is said from outside.

FROM debian:12 AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
    gcc libc6-dev meson ninja-build pkg-config libuv1-dev libc-ares-dev libyaml-dev libjansson-dev libisal-dev libzstd-dev libssl-dev libcrypt-dev libseccomp-dev libcurl4-openssl-dev
WORKDIR /source
# llhttp's C sources, without the Node.js that their package depends on.
RUN apt-get download -o APT::Sandbox::User=root node-llhttp && dpkg-deb -x node-llhttp_*.deb llhttp
COPY meson.build meson_options.txt ./
COPY deps deps
COPY src src
ARG REVISION
RUN meson setup build --buildtype=release --prefix=/usr -Dtests=disabled -Drevision="$REVISION" -Dllhttp_source="$PWD/llhttp/usr/share" \
 && ninja -C build \
 && DESTDIR=/installed meson install -C build --no-rebuild --strip

FROM debian:12-slim AS shell
# ca-certificates is for pushes and discovery over https.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libuv1 libc-ares2 libyaml-0-2 libjansson4 libisal2 libzstd1 libssl3 libcrypt1 libcurl4 ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /installed/usr/bin/memcached_fleet_exporter /usr/bin/memcached_fleet_exporter
# Charts and roles execute /bin/memcached_exporter, the path in the official image; /bin is /usr/bin.
RUN ln -s memcached_fleet_exporter /usr/bin/memcached_exporter
COPY LICENSE /usr/share/doc/memcached_fleet_exporter/LICENSE
ARG REVISION
LABEL org.opencontainers.image.title="memcached_fleet_exporter" \
      org.opencontainers.image.description="Prometheus exporter for fleets of memcached" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="$REVISION"
# By number, so that Kubernetes can tell that it is not root. Any other user will do.
USER 65534:65534
EXPOSE 9150
# Asks the exporter alone, never a memcached. bash is the one HTTP client that the image has.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9150 && printf 'GET /-/healthy HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r status <&3 && [[ $status == 'HTTP/1.1 200 '* ]]"]
ENTRYPOINT ["/usr/bin/memcached_fleet_exporter"]

# The files of the image without a shell, taken from the one with a shell.
FROM shell AS files
USER 0:0
COPY config/packaging/closure.sh /closure.sh
RUN sh /closure.sh /usr/bin/memcached_fleet_exporter /closure \
 && cp --parents /usr/share/doc/memcached_fleet_exporter/LICENSE /closure

# It has no health check, since nothing in it could ask; Kubernetes asks by itself.
FROM scratch AS noshell
COPY --from=files /closure /
ARG REVISION
LABEL org.opencontainers.image.title="memcached_fleet_exporter" \
      org.opencontainers.image.description="Prometheus exporter for fleets of memcached, without a shell" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="$REVISION"
USER 65534:65534
EXPOSE 9150
ENTRYPOINT ["/usr/bin/memcached_fleet_exporter"]

# The last one is built when no target is named.
FROM shell
