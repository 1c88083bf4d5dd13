#!/bin/bash
# The checks, before anything is set up.
declare -a FUNCS_CHECK

function _register_check_function() {
  FUNCS_CHECK+=("$1")
}

function _check() {
  local function
  _log info 'Checking configuration'
  for function in "${FUNCS_CHECK[@]}"; do ${function}; done
}

function _check_hostname() {
  [[ ${HOSTNAME} != '' ]] || _dms_panic__general 'A hostname is required'
}
