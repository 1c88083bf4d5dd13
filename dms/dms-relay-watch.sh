#!/bin/bash
# Started by supervisord (supervisor.conf): the keeper, whose lines go through DMS's own _log, so that they look like the lines
# around them. It replaces this shell (exec); the process that passes its lines on ends when nobody writes them any more.
# shellcheck disable=SC1091
source /usr/local/bin/helpers/index.sh

function _hand_on() {
  local line
  while IFS= read -r line; do
    case ${line} in
      'keeper: error: '*) _log 'error' "${line#keeper: error: }" ;;
      'keeper: warning: '*) _log 'warn' "${line#keeper: warning: }" ;;
      *) __dms_relay_log 0 "${line}" ;;
    esac
  done
}

export LOG_FORMAT=dms
# relay.sh writes the file when it applies the inputs.
exec /opt/dms-relay/bin/keeper /opt/dms-relay/applied-at > >(_hand_on) 2>&1
