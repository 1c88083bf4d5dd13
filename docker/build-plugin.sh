#!/bin/sh
# build-plugin.sh: builds the plugin of Cyrus SASL in sasl/ beside this file, and puts it below /plugin where it has to be in
# the image, in a stage of the Dockerfile that is thrown away. The image that it is copied to must have the same Debian.
set -eu
cd "$(dirname "$0")"

apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends gcc libc6-dev libsasl2-dev make
make -C sasl install DESTDIR=/plugin
