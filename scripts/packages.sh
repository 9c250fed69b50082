#!/bin/sh
# packages.sh PACKAGE…: makes sure that these Debian packages are installed; says what it does. Touches the network
# only when one is missing. On other systems it names what is missing and goes on: the build will tell.
set -eu
missing=
for package in "$@"; do
    if command -v dpkg-query >/dev/null 2>&1 &&
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
        continue
    fi
    missing="$missing $package"
done
if [ -z "$missing" ]; then exit 0; fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Not a Debian system: please provide what these packages do:$missing" >&2
    exit 0
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then as_root=sudo; fi
if [ -n "$as_root" ] && ! command -v sudo >/dev/null 2>&1; then
    echo "Please install, as root:  apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing"
$as_root env DEBIAN_FRONTEND=noninteractive sh -c "apt-get -qq update && apt-get -qq install -y --no-install-recommends$missing"
