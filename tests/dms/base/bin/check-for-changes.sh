#!/bin/bash
# The change detector: takes up changes of the files that are watched, then reloads Postfix.
# shellcheck disable=SC1091
source /usr/local/bin/helpers/index.sh
# shellcheck disable=SC1091
source /etc/dms-settings

function _check_for_changes() {
  _monitored_files_checksums > "${CHKSUM_FILE}.new"
  ! cmp --silent "${CHKSUM_FILE}" "${CHKSUM_FILE}.new" || return 0
  _log info 'Change detected'
  _create_postfix_vhost
  _process_relayhost_configs
  _reload_postfix
  _log info 'Change handled'
  mv "${CHKSUM_FILE}.new" "${CHKSUM_FILE}"
}

while true; do
  _check_for_changes
  sleep 1
done
