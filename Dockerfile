# The image: Postfix, and dms_relay, which makes it hand its mail to relay services. See docs/image.md.
ARG BASE=debian:trixie-slim

# What both stages have in common: the interpreter for which the package is compiled.
# hadolint ignore=DL3006
FROM ${BASE} AS base
SHELL ["/bin/sh", "-eu", "-c"]
# Debian replaces the version of a package when it mends it, so a pinned one would not be found for long.
# hadolint ignore=DL3008
RUN apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3; \
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

FROM base AS build
# hadolint ignore=DL3008
RUN apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv; \
    python3 -m venv /build; \
    python3 -m venv --without-pip /opt/dms-relay
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
# Everything is pinned, with hashes: what the package needs, and what builds it, from the lock of the developers.
RUN awk '/^[a-z]/ { keep = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ } keep' \
        requirements-dev.lock > requirements-build.lock; \
    /build/bin/pip install --require-hashes --only-binary :all: -r requirements-build.lock; \
    /build/bin/pip --python /opt/dms-relay install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY dms_relay dms_relay
# unchecked-hash: the compiled files count as they are, whatever times the copy to the other stage gives to the sources.
RUN /build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels .; \
    /build/bin/pip --python /opt/dms-relay install --no-deps --no-compile --no-index /wheels/*.whl; \
    /opt/dms-relay/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /opt/dms-relay/lib

FROM base
# Fixed numbers: the files on the queue's volume belong to them, also for the next image.
# hadolint ignore=DL3008
RUN groupadd --system --gid 901 postfix; \
    groupadd --system --gid 902 postdrop; \
    useradd --system --uid 901 --gid 901 --home-dir /var/spool/postfix --no-create-home --shell /usr/sbin/nologin postfix; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates libsasl2-modules postfix; \
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log; \
    # Nothing runs in the chroot, so Debian need not fill it at each start.
    echo SYNC_CHROOT= >> /etc/default/postfix; \
    # What mail that goes to no relay gets; dms-relay sets and puts back what relays need.
    postconf -e 'smtp_tls_security_level = may'
COPY --from=build /opt/dms-relay /opt/dms-relay
RUN ln -s /opt/dms-relay/bin/dms-relay /usr/local/bin/
COPY --chmod=755 docker-entrypoint.sh /usr/local/bin/
COPY --chmod=755 entrypoint.d /docker-entrypoint.d

VOLUME /var/spool/postfix
EXPOSE 25
# Asks Postfix for its greeting, and takes its leave.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/25 && read -r -t 4 -u 3 greeting && printf 'QUIT\\r\\n' >&3 && [[ $greeting == 220* ]]"]
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postfix", "start-fg"]
