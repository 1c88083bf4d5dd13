#!/bin/bash
# The helper relay.sh of docker-mailserver (DMS), with dms-relay in it. DMS sources it in its start-up, its change detector
# and its `setup`, under whatever options they have set; it defines functions, and does nothing else.
#
#     _check_relay_settings        at each start, before anything is set up: `install` registers it with DMS's own checks
#     _setup_relayhost             at the first start, before Postfix runs
#     _process_relayhost_configs   after a change of one of the files that DMS watches; DMS reloads Postfix afterwards
#
# Uses of DMS: _log LEVEL MESSAGE, _dms_panic__general MESSAGE SCOPE, and _get_log_level_or_default where it is there.
# Functions of our own begin with __dms_relay_.

# The settings, in the environment or in files that they name.
__DMS_RELAY_NAMES=(
  DEFAULT_RELAY_HOST RELAY_HOST RELAY_PORT RELAY_USER RELAY_PASSWORD RELAY_ROUTING RELAY_TLS_LEVEL RELAY_TABLES
  RELAY_OAUTH2_{PROVIDER,TENANT,CLIENT_ID,CLIENT_SECRET,CLIENT_CERTIFICATE,CLIENT_KEY,REFRESH_TOKEN,SERVICE_ACCOUNT}
  RELAY_OAUTH2_{TOKEN_URL,SCOPE,CA_FILE}
)

# Wrong settings end the container before DMS has set anything up, so that the next start does not find half a setup. DMS sets
# up only once: at a later start the relays are unchanged, and wrong settings are no reason to be without a mail server.
function _check_relay_settings() {
  _log 'debug' 'Checking the relay settings'
  __dms_relay_check && return 0
  if [[ -f /CONTAINER_START ]]; then
    _log 'error' 'The relays stay as they were: fix what the lines above name, then run setup relay apply'
    return 0
  fi
  _dms_panic__general 'The relay settings cannot be used, so nothing is set up: see the lines above' 'dms-relay'
  return 1
}

# When the inputs were applied, for the keeper (/opt/dms-relay/dms/dms-relay-watch.sh): what user-patches.sh changes in
# Postfix's configuration afterwards is kept until an input changes. The file ends with the container, like that configuration.
__DMS_RELAY_APPLIED_AT=/opt/dms-relay/applied-at

# Wrong settings end the container: DMS ignores the return code of its setup functions, and Postfix would send without a relay.
function _setup_relayhost() {
  _log 'debug' 'Setting up Postfix Relay Hosts'
  __dms_relay_tell_of_files
  date +%s.%N > "${__DMS_RELAY_APPLIED_AT}" || true
  __dms_relay_apply && return 0
  _dms_panic__general 'The relay settings could not be applied, so Postfix is not started: see the lines above' 'dms-relay'
  return 1
}

# Wrong settings change nothing, and the change detector keeps running.
function _process_relayhost_configs() {
  _log 'debug' 'Updating Postfix Relay Hosts'
  __dms_relay_apply && return 0
  _log 'error' 'The relays were not changed: fix what the lines above name; if the change is not noticed, run setup relay apply'
  return 0
}

# Make Postfix's configuration match the settings, and pass the output of dms-relay on.
function __dms_relay_apply() {
  local said status=0
  said=$(__dms_relay_run apply --no-reload 2>&1) || status=$?
  __dms_relay_log_all "${status}" "${said}"
  return "${status}"
}

# Return 1 if the settings cannot be used (sysexits(3): EX_CONFIG, EX_NOINPUT), and log why. The setup reports everything else,
# including any other failure: it creates what Postfix's configuration still lacks here.
function __dms_relay_check() {
  local said status=0
  said=$(__dms_relay_run plan 2>&1 >/dev/null) || status=$?
  [[ ${status} -eq 78 || ${status} -eq 66 ]] || return 0
  __dms_relay_log_all "${status}" "${said}"
  return 1
}

# DMS documents that NAME__FILE is not read if NAME is set, even if empty; its own mailserver.env sets each NAME to empty.
# Here empty counts as not set, so the file is read.
function __dms_relay_tell_of_files() {
  local name file
  for name in "${__DMS_RELAY_NAMES[@]}"; do
    file=${name}__FILE
    [[ -v ${name} && -z ${!name} && -n ${!file:-} ]] || continue
    _log 'warn' "${name} is empty, which counts as not set: the file of ${file} is read -- remove the line ${name}="
  done
}

# DMS does not export all its settings: LOG_LEVEL may come from /etc/dms-settings. And some versions export what the operator
# did not write: if NAME is empty beside NAME__FILE, they fill it from that file, as if both were set; others leave it empty.
# What the operator wrote is in the initial environment of this shell.
function __dms_relay_run() {
  local level=${LOG_LEVEL:-info} name file environ=()
  if declare -F _get_log_level_or_default >/dev/null; then level=$(_get_log_level_or_default); fi
  for name in "${__DMS_RELAY_NAMES[@]}"; do
    file=${name}__FILE
    if [[ -n ${!file:-} ]] && ! grep -qz "^${name}=." "/proc/$$/environ"; then environ+=("--unset=${name}"); fi
  done
  env "${environ[@]}" LOG_LEVEL="${level}" LOG_FORMAT=dms /usr/local/bin/dms-relay "$@"
}

# __dms_relay_log_all STATUS TEXT: logs each line.
function __dms_relay_log_all() {
  local line
  while IFS= read -r line; do
    [[ -z ${line} ]] || __dms_relay_log "$1" "${line}"
  done <<< "$2"
}

# __dms_relay_log STATUS LINE: logs a line with DMS's _log, in the style of this version of DMS. A line without a level is the
# result, or the output of a failure. _log treats a backslash as the start of an escape.
function __dms_relay_log() {
  local level=info line=$2
  [[ $1 -eq 0 ]] || level=error
  if [[ ${line} =~ ^[0-9-]+\ [0-9:+-]+\ ([A-Z]+)\ +dms-relay:\ (.*)$ ]]; then
    level=${BASH_REMATCH[1],,} line=${BASH_REMATCH[2]}
  fi
  _log "${level}" "${line//\\/\\\\}"
}
