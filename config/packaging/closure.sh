#!/bin/sh
# closure.sh PROGRAM TARGET: puts the program into the empty folder TARGET as a root of its own, for an image without a
# shell: the program, each library that it is linked to or loads when it is used, certificates, and licenses. Needs a
# Debian that has the packages of these libraries.
set -eu
program=$1 target=$2
PATH=$PATH:/usr/sbin:/sbin # ldconfig

# /bin and /lib are links, as they are in Debian.
mkdir -p "$target/usr/bin" "$target/usr/lib" "$target/usr/lib64" "$target/etc"
for folder in bin lib lib64; do ln -s "usr/$folder" "$target/$folder"; done

install -m 755 "$program" "$target/usr/bin/memcached_fleet_exporter"
ln -s memcached_fleet_exporter "$target/usr/bin/memcached_exporter"

# What is loaded: libcurl for pushes and discovery, OpenSSL for TLS, libcrypt for the passwords of a web configuration.
loaded=
for name in libcurl.so.4 libssl.so.3 libcrypt.so.1; do
    file=$(ldconfig -p | sed -n "s|^[[:space:]]*$name .* => ||p" | head -n 1)
    [ -n "$file" ] || { echo "closure: there is no $name" >&2; exit 1; }
    loaded="$loaded $file"
done
# shellcheck disable=SC2086 # a list of words
libraries=$({ ldd "$program" $loaded; printf '%s\n' $loaded; } | grep -oE '/[^ :]+\.so[^ :]*' | sort -u)
for file in $libraries; do
    cp -L --parents "$file" "$target"
    owner=$(dpkg-query -S "$file" "/usr$file" 2>/dev/null | cut -d: -f1 | head -n 1)
    [ -z "$owner" ] || cp -L --parents "/usr/share/doc/$owner/copyright" "$target"
done

# Certificates, where OpenSSL and libcurl look for them; users and the order of names, where libc does.
mkdir -p "$target/etc/ssl" "$target/usr/lib/ssl"
cp -rL /etc/ssl/certs "$target/etc/ssl/"
ln -s /etc/ssl/certs "$target/usr/lib/ssl/certs"
echo 'root:x:0:0:root:/:/nonexistent
nobody:x:65534:65534:nobody:/:/nonexistent' >"$target/etc/passwd"
echo 'root:x:0:
nogroup:x:65534:' >"$target/etc/group"
echo 'hosts: files dns' >"$target/etc/nsswitch.conf"
cp -L /etc/os-release "$target/etc/os-release"
