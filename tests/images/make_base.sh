#!/usr/bin/env bash
# Makes the base image of the integration suite from Debian packages: a minimal SUITE (bookworm) with Python and venv.
# Does nothing when the engine has the image already. Needs root (debootstrap) and an engine that answers.
#
#   make_base.sh [SUITE]
#   VALIDATOR_TEST_BASE   the image's name (default validator-test/SUITE:latest)
#   DEBIAN_MIRROR         where the packages come from (default http://deb.debian.org/debian)
set -euo pipefail

suite=${1:-bookworm}
image=${VALIDATOR_TEST_BASE:-validator-test/$suite:latest}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

if docker image inspect "$image" >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "make_base.sh: debootstrap needs root; run it as root once, or pull any Debian image with python3-venv as $image" >&2
    exit 1
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "making $image from $mirror" >&2
if ! debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
    "$suite" "$folder/root" "$mirror" >"$folder/log" 2>&1; then
    tail -n 30 "$folder/log" "$folder/root/debootstrap/debootstrap.log" >&2 || true
    echo "make_base.sh: debootstrap failed; DEBIAN_MIRROR names another mirror" >&2
    exit 1
fi
rm -rf "$folder"/root/var/cache/apt/archives/*.deb "$folder"/root/var/lib/apt/lists/*
tar -C "$folder/root" --numeric-owner -c . | docker import --change 'CMD ["python3"]' - "$image" >/dev/null
