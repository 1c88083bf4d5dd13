#!/bin/sh
# rights.sh owner COMMAND…   runs a command that does not need root. If root runs it in somebody else's tree (sudo make demo),
#                            it runs as the tree's owner, so that its files are theirs.
# rights.sh root COMMAND…    runs a command that needs root, with sudo if the caller is not root. Of its files in somebody
#                            else's tree, those that `make clean` removes belong to the owner afterwards, however it ends.
# rights.sh caller COMMAND…  the same for a command that runs without root as well.
set -eu
me=$(id -u)
owner=$(stat -c %u .)
group=$(stat -c %g .)

as_owner() {
    home=$(getent passwd "$owner" | cut -d : -f 6)
    exec setpriv --reuid="$owner" --regid="$group" --clear-groups -- env HOME="${home:-/nonexistent}" "$@"
}

# Missing files are no error.
give_back() {
    find .venv .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
        -xdev -uid 0 -exec chown -h "$owner:$group" {} + 2>/dev/null || :
    find . -xdev -name __pycache__ -type d -uid 0 -exec chown -hR "$owner:$group" {} + || :
}

# In the background, so that a signal to only this shell reaches the command too. A shell makes background commands ignore
# SIGINT, which Ctrl-C sends to both.
and_give_back() {
    env --default-signal=INT "$@" &
    child=$!
    trap 'kill -TERM "$child"' HUP TERM
    trap : INT
    while :; do
        code=0
        wait "$child" || code=$?
        kill -0 "$child" 2>/dev/null || break
    done
    give_back
    exit "$code"
}

for_whom=${1-}
[ $# -lt 2 ] || shift
case $for_whom in
    owner) if [ "$me" -eq 0 ] && [ "$owner" -ne 0 ]; then as_owner "$@"; else exec "$@"; fi ;;
    root) [ "$me" -eq 0 ] || exec sudo -- "$0" root "$@" ;;
    caller) [ "$me" -eq 0 ] || exec "$@" ;;
    *)
        echo "rights.sh: name whose rights: owner, root or caller, and a command" >&2
        exit 2
        ;;
esac
[ "$owner" -ne 0 ] || exec "$@"
and_give_back "$@"
