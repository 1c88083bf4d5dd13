#!/bin/sh
# Installs Postfix, and what it needs to log in and for big tables, through apt where they are missing, as root or by sudo.
# Says nothing where they are there.
#
# The package would start a mail server that listens to the network. Ours does
# not: for as long as the installation takes, policy-rc.d forbids the start
# (unless the machine has a policy of its own, which stands), and the
# configuration that the package writes is for local mail only.
set -eu

PATH="$PATH:/usr/sbin:/sbin"
policy=/usr/sbin/policy-rc.d

# Without libsasl2-modules, which Postfix only recommends, it cannot log in anywhere; cdb and lmdb are packages of their own.
packages="postfix libsasl2-modules postfix-cdb postfix-lmdb"
is_complete() {
    command -v postfix >/dev/null || return 1
    command -v dpkg-query >/dev/null || return 0
    for package in $packages; do
        status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) || return 1
        [ "$status" = "install ok installed" ] || return 1
    done
}
is_complete && exit 0

if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "Postfix is not installed, and installing it needs root: run this as root" >&2
        exit 77
    fi
    exec sudo -- "$0" "$@"
fi
if ! command -v apt-get >/dev/null; then
    echo "Postfix is not installed, and there is no apt-get here: install Postfix first" >&2
    exit 69
fi

log=$(mktemp)
policy_is_ours=
clean_up() {
    rm -f "$log"
    [ -z "$policy_is_ours" ] || rm -f "$policy"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

if [ ! -e "$policy" ]; then
    policy_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

quietly() {
    "$@" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        echo "failed: $*" >&2
        exit 69
    }
}

echo "Installing Postfix (apt-get install $packages)" >&2
export DEBIAN_FRONTEND=noninteractive
echo 'postfix postfix/main_mailer_type select Local only' | debconf-set-selections
quietly apt-get update -q
# Several words.
# shellcheck disable=SC2086
quietly apt-get install -q -y --no-install-recommends $packages
