#!/bin/bash
# _log LEVEL MESSAGE: shows a message where LOG_LEVEL asks for it; errors and warnings on standard error.
function _log() {
  local -A weights=([error]=1 [warn]=2 [info]=3 [debug]=4 [trace]=5)
  local shown=${weights[$(_get_log_level_or_default)]:-3}
  [[ ${weights[$1]} -le ${shown} ]] || return 0
  if [[ ${weights[$1]} -le 2 ]]; then _look "$1" "$2" >&2; else _look "$1" "$2"; fi
}

# The container's setting, else what the start-up has written down.
function _get_log_level_or_default() {
  if [[ -n ${LOG_LEVEL+set} ]]; then
    echo "${LOG_LEVEL}"
  elif [[ -f /etc/dms-settings ]]; then
    sed -n "s/^LOG_LEVEL='\(.*\)'$/\1/p" /etc/dms-settings
  else
    echo info
  fi
}
