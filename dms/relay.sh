#!/bin/bash
# The helper relay.sh of docker-mailserver (DMS), with dms-relay in it. DMS sources it in its start-up, its change detector
# and its `setup`, under whatever options they have set; it defines functions, and does nothing else.
#
#     _setup_relayhost             at the first start, before Postfix runs
#     _process_relayhost_configs   after a change of one of the files that DMS watches; DMS reloads Postfix afterwards
#
# Uses of DMS: _log LEVEL MESSAGE, _dms_panic__general MESSAGE SCOPE, and _get_log_level_or_default where it is there.
# Functions of our own begin with __dms_relay_.

# Wrong settings end the container: DMS ignores what its set-up functions return, and Postfix would send without a relay.
function _setup_relayhost() {
  _log 'debug' 'Setting up Postfix Relay Hosts'
  __dms_relay_apply && return 0
  _dms_panic__general 'The relay settings could not be applied, so Postfix is not started: see the lines above' 'dms-relay'
  return 1
}

# Wrong settings change nothing, and the change detector lives on.
function _process_relayhost_configs() {
  _log 'debug' 'Updating Postfix Relay Hosts'
  __dms_relay_apply && return 0
  _log 'error' 'The relays were not changed: fix what the lines above name; if the change is not noticed, run setup relay apply'
  return 0
}

# Make Postfix's configuration match the settings, and hand on what dms-relay says.
function __dms_relay_apply() {
  local said line status=0
  said=$(__dms_relay_run 2>&1) || status=$?
  while IFS= read -r line; do
    [[ -z ${line} ]] || __dms_relay_log "${status}" "${line}"
  done <<< "${said}"
  return "${status}"
}

# DMS does not export all that it knows: LOG_LEVEL may come from /etc/dms-settings. And it exports what the operator did not
# write: where NAME came into the container empty, beside NAME__FILE, DMS has filled it from that file, as if both were set.
# What the operator wrote is in the environment with which this shell began.
function __dms_relay_run() {
  local level=${LOG_LEVEL:-info} name file environ=()
  if declare -F _get_log_level_or_default >/dev/null; then level=$(_get_log_level_or_default); fi
  for name in DEFAULT_RELAY_HOST RELAY_HOST RELAY_PORT RELAY_USER RELAY_PASSWORD RELAY_ROUTING RELAY_TLS_LEVEL RELAY_TABLES; do
    file=${name}__FILE
    if [[ -n ${!file:-} ]] && ! grep -qz "^${name}=." "/proc/$$/environ"; then environ+=("--unset=${name}"); fi
  done
  env "${environ[@]}" LOG_LEVEL="${level}" LOG_FORMAT=dms /usr/local/bin/dms-relay apply --no-reload
}

# __dms_relay_log STATUS LINE: each line goes through DMS's _log, and looks as this version of DMS has it. A line without a
# level is the result, or what a failure has left to say. _log takes a backslash for the begin of an escape.
function __dms_relay_log() {
  local level=info line=$2
  [[ $1 -eq 0 ]] || level=error
  if [[ ${line} =~ ^[0-9-]+\ [0-9:+-]+\ ([A-Z]+)\ +dms-relay:\ (.*)$ ]]; then
    level=${BASH_REMATCH[1],,} line=${BASH_REMATCH[2]}
  fi
  _log "${level}" "${line//\\/\\\\}"
}
