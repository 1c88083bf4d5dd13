#!/bin/bash
# _dms_panic__general MESSAGE SCOPE: ends the container, from wherever it is called in a script that has sourced this.
trap 'exit 1' SIGUSR1
SCRIPT_PID=$$

function _dms_panic__general() {
  _log error "${2:+$2 | }$1"
  _log error 'Shutting down'
  sleep 1
  kill -SIGTERM 1
  kill -SIGUSR1 "${SCRIPT_PID}"
}
