#!/bin/sh
# build-package.sh STEP: creates the virtual environment /opt/dms-relay with the package and its dependencies, in a temporary
# stage of the Dockerfile. A step reads only what the Dockerfile has copied before it, so that a change of the package leaves
# the earlier steps in the builder's cache:
#
#     tools          a separate pip, in /build, and the empty environment, without pip
#     dependencies   from requirements.lock; and the build tools of the package, from requirements-dev.lock
#     package        from dms_relay/ beside this file, and the program of the container's start, boot
#
# It uses Debian's own interpreter, which the target image must have as well.
set -eu
cd "$(dirname "$0")"
readonly ENVIRONMENT=/opt/dms-relay
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

into_environment() {
  /build/bin/pip --python "$ENVIRONMENT" install "$@"
}

tools() {
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv
  /usr/bin/python3 -m venv /build
  /usr/bin/python3 -m venv --without-pip "$ENVIRONMENT"
}

# Everything is pinned, with hashes.
dependencies() {
  awk '/^[a-z]/ { keep = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ } keep' \
    requirements-dev.lock > requirements-build.lock
  /build/bin/pip install --no-compile --require-hashes --only-binary :all: -r requirements-build.lock
  into_environment --no-compile --require-hashes --only-binary :all: -r requirements.lock
}

# unchecked-hash: Python trusts the compiled files, whatever times the sources get when they are copied to the other stage.
package() {
  /build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels .
  into_environment --no-deps --no-compile --no-index /wheels/*.whl
  "$ENVIRONMENT/bin/python" -m compileall -q -f --invalidation-mode unchecked-hash "$ENVIRONMENT/lib"
  # The byte code of a boot in one file, and the programs that use it: bin/boot is the container's start.
  "$ENVIRONMENT/bin/python" -I -m dms_relay.bundle dms-relay=dms_relay.cli:run boot=dms_relay.container.boot:run
  # Remove what only an interactive shell needs, and the programs of our dependencies.
  find "$ENVIRONMENT/bin" ! -type d ! -name 'python*' ! -name dms-relay ! -name boot -delete
}

case ${1-} in
  tools | dependencies | package) "$1" ;;
  *)
    echo 'build-package.sh: name a step: tools, dependencies, package' >&2
    exit 2
    ;;
esac
