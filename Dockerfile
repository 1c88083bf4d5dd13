# The image: Postfix, and dms_relay, which makes it hand its mail to relay services. See docs/image.md.
# BuildKit is not needed. A Docker without it builds each stage before the one that is asked for, so "relay" comes first.
ARG BASE=debian:trixie-slim

# What is FROM here is what the target "dms" extends: docker build --target dms. See docs/docker-mailserver.md.
ARG DMS_BASE=docker.io/mailserver/docker-mailserver:15

# What both stages of the image have in common: the interpreter for which the package is compiled.
# hadolint ignore=DL3006
FROM ${BASE} AS base
SHELL ["/bin/sh", "-eu", "-c"]
# Debian replaces the version of a package when it fixes it, so a pinned one would not be found for long.
# hadolint ignore=DL3008
RUN apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3; \
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

FROM base AS build
COPY docker/build-package.sh /src/
RUN sh /src/build-package.sh tools
COPY requirements.lock requirements-dev.lock /src/
RUN sh /src/build-package.sh dependencies
COPY pyproject.toml README.md LICENSE /src/
COPY dms_relay /src/dms_relay
RUN sh /src/build-package.sh package

# The plugin of Cyrus SASL for logins with an access token.
FROM base AS plugin
COPY docker/build-plugin.sh /src/
COPY sasl /src/sasl
RUN sh /src/build-plugin.sh

FROM base AS relay
# Fixed numbers: the files on the queue's volume belong to them, also for the next image.
# hadolint ignore=DL3008
RUN groupadd --system --gid 901 postfix; \
    groupadd --system --gid 902 postdrop; \
    useradd --system --uid 901 --gid 901 --home-dir /var/spool/postfix --no-create-home --shell /usr/sbin/nologin postfix; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates libsasl2-modules postfix postfix-cdb postfix-lmdb; \
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log; \
    # Nothing runs in the chroot, so Debian need not fill it at each start.
    echo SYNC_CHROOT= >> /etc/default/postfix; \
    # What mail that goes to no relay gets; dms-relay sets and puts back what relays need.
    postconf -e 'smtp_tls_security_level = may'; \
    # At the start this is looked at again, since another master.cf may be mounted.
    postconf -F '*/*/chroot = n'; \
    # The directories of the queue, so that a new volume begins with them and Postfix need not make them at its start.
    postfix post-install create-missing; \
    # What an /etc/postfix is filled with that is mounted empty. See docker-entrypoint.sh.
    mkdir /usr/share/dms-relay; \
    cp -a /etc/postfix /usr/share/dms-relay/; \
    # No program of this image needs another user's or group's rights but Postfix's two, for mail from users other than root.
    find / -xdev -type f -perm /6000 ! -name postdrop ! -name postqueue -exec chmod ug-s {} +
COPY --from=plugin /plugin /
COPY --from=build /opt/dms-relay /opt/dms-relay
COPY docker/keeper /opt/dms-relay/bin/
COPY docker-entrypoint.sh docker/setup docker/healthcheck /usr/local/bin/
COPY entrypoint.d /docker-entrypoint.d
# The modes do not depend on the umask of whoever cloned. Not COPY --chmod, for which Docker 20.10 wants BuildKit.
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh /usr/local/bin/setup /usr/local/bin/healthcheck /opt/dms-relay/bin/keeper; \
    chmod -R 755 /docker-entrypoint.d; \
    ln -s /opt/dms-relay/bin/dms-relay /usr/local/bin/; \
    # The configuration directory is there without a mount too: else any user in the container could make it, below /tmp.
    install --directory --owner=root --group=root --mode=755 /tmp/docker-mailserver; \
    # Tokens, and what the keeper says of itself.
    install --directory --owner=root --group=root --mode=700 /var/lib/dms-relay

# The second one can be written in a read-only container, too, whoever has mounted nothing there.
VOLUME /var/spool/postfix /var/lib/dms-relay
EXPOSE 25
# Asks Postfix for its greeting, and takes its leave; reads what the keeper says.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["healthcheck"]
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postfix", "start-fg"]

# The same in docker-mailserver, for the interpreter that is there.
# hadolint ignore=DL3006
FROM ${DMS_BASE} AS dms-build
COPY docker/build-package.sh /src/
RUN sh /src/build-package.sh tools
COPY requirements.lock requirements-dev.lock /src/
RUN sh /src/build-package.sh dependencies
COPY pyproject.toml README.md LICENSE /src/
COPY dms_relay /src/dms_relay
RUN sh /src/build-package.sh package
COPY docker/build-plugin.sh /src/
COPY sasl /src/sasl
RUN sh /src/build-plugin.sh
COPY dms /opt/dms-relay/dms
COPY docker/keeper /opt/dms-relay/bin/
RUN chmod -R 755 /opt/dms-relay/dms /opt/dms-relay/bin/keeper

# Its shell, user, entrypoint and command stay docker-mailserver's.
# hadolint ignore=DL3006
FROM ${DMS_BASE} AS dms
COPY --from=dms-build /plugin /
COPY --from=dms-build /opt/dms-relay /opt/dms-relay
RUN ["/opt/dms-relay/dms/install"]

# Last, so that it is what is built where no target is named.
FROM relay
