# The image: Postfix, and dms_relay, which makes it pass its mail to relay services. See docs/image.md.
# Does not need BuildKit. A Docker without it builds every stage before the requested one, so "relay" comes first.
ARG BASE=debian:trixie-slim

# The base image of the target "dms": docker build --target dms. See docs/docker-mailserver.md.
ARG DMS_BASE=docker.io/mailserver/docker-mailserver:15

# The common base of the stages: the interpreter for which the package is compiled.
# hadolint ignore=DL3006
FROM ${BASE} AS base
SHELL ["/bin/sh", "-eu", "-c"]
# Debian replaces a package's version with each fix, so a pinned one would soon not be found.
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
# Fixed numbers: the files on the queue's volume belong to them, and the next image must agree.
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
    # For mail that goes directly; dms-relay sets and restores what relays need.
    postconf -e 'smtp_tls_security_level = may'; \
    # Checked again at each start, since another master.cf may be mounted.
    postconf -F '*/*/chroot = n'; \
    # The directories of the queue, so that a new volume has them and Postfix need not create them at its start.
    postfix post-install create-missing; \
    # Fills an /etc/postfix that is mounted empty. See docker-entrypoint.sh.
    mkdir /usr/share/dms-relay; \
    cp -a /etc/postfix /usr/share/dms-relay/; \
    # Only two programs of Postfix need set-gid, for mail from users other than root.
    find / -xdev -type f -perm /6000 ! -name postdrop ! -name postqueue -exec chmod ug-s {} +
COPY --from=plugin /plugin /
COPY --from=build /opt/dms-relay /opt/dms-relay
COPY docker/keeper /opt/dms-relay/bin/
COPY docker-entrypoint.sh docker/setup docker/healthcheck /usr/local/bin/
COPY entrypoint.d /docker-entrypoint.d
# Makes the modes independent of the umask of the clone. Not COPY --chmod, for which Docker 20.10 needs BuildKit.
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh /usr/local/bin/setup /usr/local/bin/healthcheck /opt/dms-relay/bin/keeper; \
    chmod -R 755 /docker-entrypoint.d; \
    ln -s /opt/dms-relay/bin/dms-relay /usr/local/bin/; \
    # The configuration directory exists even without a mount: otherwise any user in the container could create it below /tmp.
    install --directory --owner=root --group=root --mode=755 /tmp/docker-mailserver; \
    # Tokens, and the keeper's status.
    install --directory --owner=root --group=root --mode=700 /var/lib/dms-relay

# The second one is writable even in a read-only container, if nothing is mounted there.
VOLUME /var/spool/postfix /var/lib/dms-relay
EXPOSE 25
# Checks Postfix's greeting, and the keeper's status.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["healthcheck"]
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postfix", "start-fg"]

# The same for docker-mailserver, with its own interpreter.
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

# Keeps docker-mailserver's shell, user, entrypoint and command.
# hadolint ignore=DL3006
FROM ${DMS_BASE} AS dms
COPY --from=dms-build /plugin /
COPY --from=dms-build /opt/dms-relay /opt/dms-relay
RUN ["/opt/dms-relay/dms/install"]

# Last, so that it is the default target.
FROM relay
