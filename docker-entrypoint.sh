#!/bin/sh
# docker-entrypoint.sh [COMMAND...]: the first process of the container.
#
# COMMAND `postfix start-fg` (the default): runs the executable files in $HOOKS in byte order, then Postfix, and stays the
# parent of both: TERM and INT (`docker stop`, Ctrl-C) end the hook or stop Postfix gracefully, at any moment, and the exit
# code is then 0. Any other COMMAND replaces this shell at once (exec), and no hook runs.
#
# With RELAY_DRAIN=30s, Postfix first takes no new mail and delivers what waits, for at most that long (`dms-relay drain`), and
# then stops; a second TERM or INT stops it at once.
#
# $KEEPER runs beside Postfix, and runs `dms-relay watch` (docker/keeper), unless RELAY_WATCH is "no". It is told to end when
# Postfix is, and waited for. Its failures do not affect Postfix.
#
# Before all that, for any COMMAND: if $CONFIGURATION has no main.cf, as in an empty mount, it is filled from $COPY. If Postfix
# could not open its standard output by name, which it does to log, or RELAY_METRICS asks to count deliveries, a pipe comes in
# between (dms_relay/container/stdout_pipe.py); at the end this shell waits for it.
#
# Hooks are executed, never sourced. Anything but an executable file is skipped, with a notice. A hook that fails stops the
# start; its exit code becomes the container's. So does Postfix's if it ends by itself, with 1 instead of 0.
#
# Our own hooks are files whose first line names $BOOT. Consecutive ones run in one process, since the interpreter and its
# imports are most of their cost; a hook in between still runs in between. After all hooks comes a step of ours that is not a
# hook: it decides if Postfix can skip its own checks (dms_relay/container/quick_start.py).
#
# Known limits: a hook that does not end on TERM gets KILL after $HOOK_GRACE seconds. A signal before the
# `trap` below is lost, as for every first process.

# Some functions are called only by `trap` and through $ending.
# shellcheck disable=SC2329
set -u

# Watches the inputs, and applies them to Postfix.
readonly KEEPER=/opt/dms-relay/bin/keeper
# For `drain`.
readonly PROGRAM=/opt/dms-relay/bin/dms-relay
# Where the hooks are; operators can mount theirs beside ours.
readonly HOOKS=/docker-entrypoint.d
# Runs our steps; see there.
readonly BOOT=/opt/dms-relay/bin/boot
# Postfix's configuration directory, and the image's contents of it, for an empty mount.
readonly CONFIGURATION=/etc/postfix
readonly COPY=/usr/share/dms-relay/postfix
# Exists while $CONFIGURATION is filled; a start that is killed meanwhile leaves it behind.
readonly FILLING=$CONFIGURATION/.dms-relay.filling
# The code of sysexits(3) for a file that cannot be created.
readonly EX_CANTCREAT=73
# Locked by master(8) for as long as it runs.
readonly MASTER_LOCK=/var/spool/postfix/pid/master.pid
# Seconds; `docker stop` itself waits for 10 before it sends KILL to all.
readonly HOOK_GRACE=0.5
# Seconds for `postfix stop`; it takes a fraction of one.
readonly STOP_GRACE=3
# Seconds for the keeper to end; it takes a fraction of one, or some while it renews a token.
readonly KEEPER_GRACE=6
# Seconds for the last of the log to get through the pipe, if there is one. Only a reader that has stopped takes as long.
readonly PIPE_GRACE=1

stopping=  # "yes" once TERM or INT has arrived
child=     # the process number of the current command
ending=    # the function that ends it
asked=     # "yes" once that function has been called for it
status=0   # the exit code of what ran last
draining=  # "yes" once the queue is drained before Postfix is stopped
keeper=    # the process number of $KEEPER, while Postfix runs
applied=   # when the hook that applies the inputs began, by the clock that `uptime` reads
piping=${DMS_RELAY_STDOUT_PIPE-}  # the process that copies from the pipe to standard output, if there is one
unset DMS_RELAY_STDOUT_PIPE

say() {
  printf 'docker-entrypoint: %s\n' "$*" >&2
}

# Existing files stay: the operator may have mounted one below. main.cf comes last, and each file by rename, so that the next
# start completes one that is killed meanwhile.
fill_configuration() {
  [ ! -e "$CONFIGURATION/main.cf" ] && [ -e "$COPY/main.cf" ] || return 0
  # Somebody's own directory without main.cf: a person must repair that.
  [ ! -e "$CONFIGURATION/master.cf" ] || [ -e "$FILLING" ] || return 0
  say "notice: $CONFIGURATION has no main.cf, so it is filled with the image's own files"
  chown root:root "$CONFIGURATION"
  chmod 755 "$CONFIGURATION"
  rm -rf "$FILLING" && cp -a "$COPY" "$FILLING" || return
  for file in "$FILLING"/*; do
    name=${file##*/}
    [ "$name" = main.cf ] || [ -e "$CONFIGURATION/$name" ] || mv "$file" "$CONFIGURATION" || return
  done
  mv "$FILLING/main.cf" "$CONFIGURATION" && rm -rf "$FILLING"
}

# Opening it by name fails for a socket, and in a user namespace for a pipe from outside. `command` keeps the shell from exiting
# because of that. With metrics, the process that copies from the pipe counts deliveries.
ensure_stdout() {
  [ -z "$piping" ] || return 0
  case ${RELAY_METRICS-} in
    '' | no) { command : >> /dev/stdout; } 2>/dev/null && return ;;
  esac
  set -- "$0" "$@"
  exec /opt/dms-relay/bin/python -IS /opt/dms-relay/lib/python3*/site-packages/dms_relay/container/stdout_pipe.py "$@"
}

# The end of process 1 kills all others. The process at the pipe ends once nobody can write to it any more, which descriptor 9
# shows.
finish() {
  [ -n "$piping" ] || return 0
  trap '' TERM INT
  exec >&-
  (sleep "$PIPE_GRACE" && kill -KILL "$piping") >/dev/null 2>&1 9<&- &
  read -r _ <&9
}

on_signal() {
  if [ -n "$draining" ]; then
    stop_postfix
    return
  fi
  stopping=yes
  end_child
  # During a drain, it still renews tokens.
  [ -n "$draining" ] || tell_keeper
}

tell_keeper() {
  [ -z "$keeper" ] || kill -TERM "$keeper" 2>/dev/null
}

end_child() {
  if [ -n "$child" ] && [ -z "$asked" ]; then
    asked=yes
    "$ending"
  fi
}

end_hook() {
  kill -TERM "$child" 2>/dev/null
  (sleep "$HOOK_GRACE" && kill -KILL "$child") >/dev/null 2>&1 &
}

# Until master(8) runs, there is only the script to stop that is about to start it.
end_postfix() {
  if ! master_runs; then
    kill -TERM "$child" 2>/dev/null
  elif [ -n "${RELAY_DRAIN-}" ]; then
    draining=yes
    (drain) &
  else
    stop_postfix
  fi
}

# Does not take its lock, as in the keeper: a master(8) that starts just then would exit.
master_runs() {
  { read -r number < "$MASTER_LOCK" && read -r name < "/proc/$number/comm"; } 2>/dev/null && [ "$name" = master ]
}

# Postfix is stopped after it, even if the drain fails. Runs in its own shell, since a trap blocks everything else.
drain() {
  say "notice: Postfix takes no new mail and delivers what waits, for at most RELAY_DRAIN=$RELAY_DRAIN; a second signal ends that"
  "$PROGRAM" drain --timeout "$RELAY_DRAIN" >&2
  stop_postfix
}

# A second signal may have stopped it.
stop_postfix() {
  tell_keeper
  master_runs || return 0
  postfix stop &
  # Like every program of Postfix, this waits for a main.cf that something keeps writing; master itself does not.
  read -r master < "$MASTER_LOCK"
  (sleep "$STOP_GRACE" && kill -TERM "$master") >/dev/null 2>&1 &
}

# run FUNCTION COMMAND...: runs COMMAND, with FUNCTION to end it, and sets $status. It runs in the background, since a shell
# acts on a signal only between two commands or while it waits. A signal that arrives before $child is set is handled after.
run() {
  ending=$1
  shift
  asked=
  "$@" &
  child=$!
  [ -z "$stopping" ] || end_child
  # A signal ends `wait` early, with its own status; so wait until the process is gone. This also reaps orphans.
  while
    wait "$child"
    status=$?
    kill -0 "$child" 2>/dev/null
  do :; done
  child=
}

# Some shells sort a pattern by the locale; the hooks themselves get the original locale.
run_hooks() {
  locale=${LC_ALL-}
  LC_ALL=C
  set -- "$HOOKS"/*
  LC_ALL=$locale
  ours=  # our hooks that have not run yet, in order, separated by blanks
  for hook; do
    if is_ours "$hook"; then
      ours="$ours $hook"
    else
      run_ours
      run_hook "$hook"
    fi
  done
  ours="$ours quick-start"
  run_ours
}

# A name that would not survive as one word is not ours: such a hook runs by itself, like any other.
is_ours() {
  case $1 in *[!A-Za-z0-9/._-]*) return 1 ;; esac
  [ -f "$1" ] && [ -x "$1" ] && read -r first 2>/dev/null < "$1" && [ "$first" = "#!$BOOT" ]
}

# note_time HOOKS: sets $applied if one of them applies the inputs, ours or an operator's in its place.
note_time() {
  case $1 in
    *-relay | *-relay\ *)
      uptime
      applied=$centiseconds
      ;;
  esac
}

# $BOOT itself names the hook that failed, if it exits normally: with an exit code of sysexits(3).
run_ours() {
  [ -n "$ours" ] || return 0
  note_time "$ours"
  # shellcheck disable=SC2086 # words on purpose
  run end_hook "$BOOT" --start $ours
  leave_if_stopped
  if [ "$status" -ge 64 ] && [ "$status" -le 78 ]; then
    exit "$status"
  fi
  stop_if_failed "one of the hooks$ours"
  ours=
}

run_hook() {
  if ! [ -f "$1" ] || ! [ -x "$1" ]; then
    say "notice: $1 is skipped: it is not an executable file"
    return
  fi
  note_time "$1"
  run end_hook "$1"
  leave_if_stopped
  stop_if_failed "the hook $1"
}

stop_if_failed() {
  if [ "$status" -ne 0 ]; then
    say "error: $1 failed with exit code $status, so Postfix is not started"
    exit "$status"
  fi
}

leave_if_stopped() {
  [ -z "$stopping" ] || exit 0
}

# Sets $centiseconds since the machine was started. Unlike the time of day, this needs no program.
uptime() {
  read -r centiseconds _ < /proc/uptime
  centiseconds=$((${centiseconds%.*} * 100 + 1${centiseconds#*.} - 100))
}

# Prints the time of day at which the inputs began to be applied, for the keeper: what hooks have changed since in Postfix's
# configuration is kept until the inputs change. Prints nothing if no hook has applied them.
applied_at() {
  [ -n "$applied" ] || return 0
  uptime
  now=$(date +%s%N)
  now=$((now / 10000000 - centiseconds + applied))
  printf '%d.%02d\n' $((now / 100)) $((now % 100))
}

# The keeper itself waits until Postfix runs.
start_keeper() {
  [ "${RELAY_WATCH-}" != no ] || return 0
  (DMS_RELAY_APPLIED_AT=$(applied_at) exec "$KEEPER") &
  keeper=$!
}

# Even if Postfix ended by itself: the keeper's work must not be cut short, as the end of process 1 would.
end_keeper() {
  [ -n "$keeper" ] || return 0
  kill -TERM "$keeper" 2>/dev/null
  (sleep "$KEEPER_GRACE" && kill -KILL "$keeper") >/dev/null 2>&1 &
  while
    wait "$keeper"
    kill -0 "$keeper" 2>/dev/null
  do :; done
}

run_postfix() {
  start_keeper
  run end_postfix "$@"
  end_keeper
  leave_if_stopped
  say "error: Postfix ended by itself, with exit code $status"
  [ "$status" -ne 0 ] || status=1
  exit "$status"
}

trap on_signal TERM INT
trap finish EXIT
[ "$#" -gt 0 ] || set -- postfix start-fg
if ! fill_configuration && [ "$*" = 'postfix start-fg' ]; then
  say "error: $CONFIGURATION cannot be filled -- mount a file system there that can be written, and give the container the" \
    "capabilities CHOWN, DAC_OVERRIDE and FOWNER"
  exit "$EX_CANTCREAT"
fi
[ "$*" = 'postfix start-fg' ] || exec "$@"
ensure_stdout "$@"
run_hooks
run_postfix "$@"
