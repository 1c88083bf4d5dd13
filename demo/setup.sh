#!/bin/sh
# setup.sh GOAL: checks for what `make GOAL` needs, then installs Postfix, and what it needs for logins and big tables,
# through apt if they are missing. GOAL is demo, bench, soak, coverage (everything; bench also git), test (Postfix for root
# only), venv (Python), image (a container engine), or plugin (a C compiler, and Cyrus SASL's headers). Prints nothing if
# nothing is missing.
#
# Lists everything missing at once, before it installs anything. Never destroys what exists: it stops if apt would remove a
# package (another mail server), overwrite a program, or change an installed Postfix.
#
# PYTHON is the interpreter to check, ENGINE the container engine; POSTFIX=no skips Postfix.
#
# Exit codes: 0 nothing is missing; 2 usage; 69 something is missing, or would be lost; 77 it needs root; 130 interrupted.
set -eu

PATH="$PATH:/usr/sbin:/sbin"
export LC_ALL=C
readonly MISSING=69 NOT_ROOT=77
goal=${1-}
python=${PYTHON:-python3}
policy=/usr/sbin/policy-rc.d
me=$(id -u)

# Without libsasl2-modules, which Postfix only recommends, it cannot log in anywhere; cdb and lmdb are separate packages.
packages="postfix libsasl2-modules postfix-cdb postfix-lmdb"
# What is missing, one per line; the packages to install for it; the command to run afterwards.
missing=
to_install=
afterwards=

case $goal in
    demo | soak | coverage) needs="python root postfix" ;;
    bench) needs="python git root postfix" ;;
    test) if [ "$me" -eq 0 ]; then needs="python postfix"; else needs=python; fi ;;
    venv) needs=python ;;
    image) needs=engine ;;
    plugin) needs=compiler ;;
    *)
        echo "setup.sh: name a goal: demo, bench, soak, coverage, test, venv, image or plugin" >&2
        exit 2
        ;;
esac
[ "$goal" != test ] || [ "${POSTFIX:-}" != no ] || needs=python

say() { printf '%s\n' "$@" >&2; }

lacks() {
    missing="$missing  - $1
"
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Prints another interpreter that is new enough.
newer_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        "$name" -c 'import sys, venv; from ensurepip import version; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        echo "$name"
        return
    done
}

# Prints the packages of Debian or Ubuntu with a Python that is new enough, with venv; nothing if apt knows none.
python_packages() {
    command -v apt-cache >/dev/null || return 0
    candidate=$(apt-cache policy python3 | sed -n 's/^  Candidate: //p')
    case $candidate in
        '' | '(none)') echo "python3 python3-venv" && return ;; # no lists yet
    esac
    if dpkg --compare-versions "$candidate" ge 3.11; then
        echo "python3 python3-venv"
        return
    fi
    for name in python3.14 python3.13 python3.12 python3.11; do
        [ -z "$(apt-cache madison "$name" 2>/dev/null)" ] || { echo "$name $name-venv" && return; }
    done
}

look_for_python() {
    version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || version=
    if [ -n "$version" ] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        "$python" -c 'import venv; from ensurepip import version' 2>/dev/null && return
        lacks "the module venv for $python"
        case $python in
            python3 | /usr/bin/python3) to_install="$to_install python3-venv" ;;
            *) to_install="$to_install $(basename "$python")-venv" ;;
        esac
        return
    fi
    if [ -n "$version" ]; then
        lacks "Python 3.11 or later, with venv: $python is $version"
    else
        lacks "Python 3.11 or later, with venv: there is no $python"
    fi
    other=$(newer_python)
    if [ -n "$other" ]; then
        afterwards="make PYTHON=$other $goal"
        return
    fi
    found=$(python_packages)
    to_install="$to_install $found"
    case $found in
        '' | 'python3 '*) ;;
        *) afterwards="make PYTHON=${found%% *} $goal" ;;
    esac
}

# The benchmark measures an older version beside this one.
look_for_git() {
    command -v git >/dev/null && return
    lacks "git"
    to_install="$to_install git"
}

look_for_root() {
    [ "$me" -eq 0 ] || command -v sudo >/dev/null ||
        lacks "root, for which Postfix starts: run this as root (there is no sudo)"
}

look_for_engine() {
    "${ENGINE:-docker}" info >/dev/null 2>&1 ||
        lacks "a container engine: \`${ENGINE:-docker} info\` fails; install Docker or podman, start it, and see that you may use it"
}

look_for_compiler() {
    compiler=${CC:-cc}
    if ! command -v "$compiler" >/dev/null; then
        lacks "a C compiler: there is no $compiler"
        to_install="$to_install gcc libc6-dev"
    fi
    for header in /usr/include/sasl/saslplug.h /usr/local/include/sasl/saslplug.h; do [ ! -e "$header" ] || return 0; done
    lacks "the headers of Cyrus SASL: there is no /usr/include/sasl/saslplug.h"
    to_install="$to_install libsasl2-dev"
}

# Sets is_there if Postfix need not be installed: a Postfix that is not from a package is accepted.
look_for_postfix() {
    is_there=
    if command -v postfix >/dev/null && ! { command -v dpkg-query >/dev/null && is_installed postfix; }; then
        is_there=yes
        return
    fi
    if ! command -v apt-get >/dev/null; then
        lacks "Postfix, which is installed here with apt-get only: install it with this system's own packages"
        return
    fi
    absent=
    for package in $packages; do is_installed "$package" || absent="$absent $package"; done
    [ -n "$absent" ] || is_there=yes
    # An existing Postfix must not be changed: its packages write to /etc/postfix.
    if [ -z "$is_there" ] && is_installed postfix; then
        case $goal:$absent in
            demo:*libsasl2-modules* | [!d]*) lacks "for the Postfix that is installed here, which is left as it is:$absent" ;;
            *) is_there=yes && return ;; # for big tables only
        esac
        to_install="$to_install$absent"
    fi
}

# Prints the packages that the installation of Postfix would remove; needs neither root nor apt's lists.
would_be_removed() {
    {
        # Several words.
        # shellcheck disable=SC2086
        apt-get -s -qq -o Debug::NoLocking=1 install --no-install-recommends $packages 2>/dev/null |
            awk '$1 == "Remv" { print $2 }'
        dpkg-query -W -f '${db:Status-Status}|${Package}|${Provides}\n' |
            awk -F '|' '$1 == "installed" && $2 != "postfix" && $3 ~ /(^|[ ,])mail-transport-agent/ { print $2 }'
    } | sort -u | tr '\n' ' '
}

loses() {
    in_the_way="$in_the_way  - $1
    if that may go$as_root: $sudo$2
"
}

look_for_losses() {
    in_the_way=
    removed=$(would_be_removed)
    removed=${removed% }
    [ -z "$removed" ] || loses "remove $removed" "apt-get remove $removed"
    for name in /usr/sbin/sendmail /usr/bin/mailq /usr/bin/newaliases; do
        if { [ -e "$name" ] || [ -L "$name" ]; } && ! dpkg-query -S "$name" >/dev/null 2>&1; then
            loses "overwrite $name, which belongs to no package" "mv $name $name.before"
        fi
    done
    [ ! -e /etc/postfix/main.cf ] || loses "take up /etc/postfix, where an earlier Postfix was set up" \
        "mv /etc/postfix /etc/postfix.before"
}

# Stops if anything is missing or would be lost.
report() {
    [ -n "$missing$in_the_way" ] || return 0
    say "make $goal: stopped. Nothing was installed, removed or changed."
    if [ -n "$missing" ]; then
        say "Missing here:"
        printf '%s' "$missing" >&2
        to_install=${to_install# }
        [ -z "$to_install" ] || say "Install it$as_root: ${sudo}apt-get update && ${sudo}apt-get install $to_install"
        [ -z "$afterwards" ] || say "Then: $afterwards"
    fi
    if [ -n "$in_the_way" ]; then
        say "It installs Postfix, which would:"
        printf '%s' "$in_the_way" >&2
        say "Or run it on a machine, or in a container, without a mail server."
        [ "$goal" != test ] || say "Or without Postfix: make test POSTFIX=no"
    fi
    case $missing$in_the_way in
        '  - root'*) exit "$NOT_ROOT" ;;
    esac
    exit "$MISSING"
}

# The prefix of a printed command, and the words before it.
sudo=
as_root=
if [ "$me" -ne 0 ]; then
    if command -v sudo >/dev/null; then sudo="sudo "; else as_root=", as root"; fi
fi
is_there=yes
in_the_way=
for need in $needs; do "look_for_$need"; done
[ -n "$is_there" ] || is_installed postfix || look_for_losses
report

if [ "$me" -ne 0 ]; then
    if [ "$goal" = test ] && [ "${POSTFIX:-}" != no ]; then
        [ -z "${CI:-}" ] || { say "make test: it needs root in CI" && exit "$NOT_ROOT"; }
        say "make test: not root, so the tests that need root or a Postfix are skipped: sudo make test runs them"
    fi
    case $needs in
        *root*) ;;
        *) exit 0 ;;
    esac
    # Ask for a password now, not after the environment was created.
    sudo -n true 2>/dev/null || sudo -v || {
        say "make $goal: it needs root, for which Postfix starts: run it as root, or as a user who may use sudo"
        exit "$NOT_ROOT"
    }
    [ -n "$is_there" ] || exec sudo -- env PYTHON="$python" "$0" "$@"
fi
[ -z "$is_there" ] || exit 0

log=$(mktemp)
policy_is_ours=
clean_up() {
    rm -f "$log"
    [ -z "$policy_is_ours" ] || rm -f "$policy"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

quietly() {
    "$@" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        echo "failed: $*" >&2
        exit "$MISSING"
    }
}

say "Installing Postfix (apt-get install $packages)"
export DEBIAN_FRONTEND=noninteractive
quietly apt-get update -q
# Check again, now that apt has its lists.
look_for_losses
report

# The package would start a mail server that listens on the network. So policy-rc.d forbids the start during the installation
# (unless the machine has its own policy, which stays), and the package's configuration is for local mail only.
if [ ! -e "$policy" ]; then
    policy_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
echo 'postfix postfix/main_mailer_type select Local only' | debconf-set-selections
# Several words.
# shellcheck disable=SC2086
quietly apt-get install -q -y --no-install-recommends --no-remove --no-upgrade $packages
