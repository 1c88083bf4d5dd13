#!/bin/bash
# Fills NAME from the file that NAME__FILE names, where NAME is not there; does not export it.
function _variables_from_files() {
  local variable name
  for variable in $(compgen -e | grep '__FILE$'); do
    name=${variable%__FILE}
    if [[ -v ${name} ]]; then
      _log warn "${name} is set, so the file of ${variable} is not read"
    elif [[ -f ${!variable} ]]; then
      printf -v "${name}" '%s' "$(< "${!variable}")"
    else
      _log error "the file of ${variable} is not there"
    fi
  done
}

# Settles LOG_LEVEL for this shell, and writes it down for others.
function _variables_settings() {
  : "${LOG_LEVEL:=info}"
  echo "LOG_LEVEL='${LOG_LEVEL}'" > /etc/dms-settings
}
