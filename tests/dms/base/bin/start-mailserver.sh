#!/bin/bash
# The start-up: settings, Postfix's configuration at the first start alone, then the services.
set -o pipefail
# shellcheck disable=SC1091
source /usr/local/bin/helpers/index.sh
# shellcheck disable=SC1091
source /usr/local/bin/check-stack.sh
# shellcheck disable=SC1091
source /usr/local/bin/setup.d/variables.sh
# shellcheck disable=SC1091
source /usr/local/bin/setup.d/postfix.sh

function _register_functions() {
  _register_check_function '_check_hostname'
}

readonly MAIL_LOG=/var/log/mail/mail.log

_variables_from_files
_variables_settings
_log info 'Welcome'
_register_functions
_check
if [[ -f /CONTAINER_START ]]; then
  _log info 'Container was restarted. Skipping the setup.'
else
  _setup_postfix_early
  _setup_postfix_late
fi
date > /CONTAINER_START

touch "${MAIL_LOG}"
first=$(( $(wc -l < "${MAIL_LOG}") + 1 ))
_adjust_mtime_for_postfix_maincf
supervisorctl start postfix >/dev/null || _dms_panic__general 'Failed to start postfix'
_monitored_files_checksums > "${CHKSUM_FILE}"
supervisorctl start changedetector >/dev/null || _dms_panic__general 'Failed to start changedetector'
_log info 'is up and running'
exec tail -Fn "+${first}" "${MAIL_LOG}"
