#!/bin/sh
# build-plugin.sh: builds the plugin of Cyrus SASL in sasl/ beside this file, and puts it below /plugin at its path in the
# image, in a temporary stage of the Dockerfile. The target image must have the same Debian.
set -eu
cd "$(dirname "$0")"

apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends gcc libc6-dev libsasl2-dev make
make -C sasl install DESTDIR=/plugin
