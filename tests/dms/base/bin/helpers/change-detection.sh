#!/bin/bash
# The sums of the files that are watched, for the start-up and the change detector.
# shellcheck disable=SC2034
CHKSUM_FILE=/tmp/docker-mailserver-config-chksum

function _monitored_files_checksums() {
  local config=/tmp/docker-mailserver name
  for name in accounts virtual relaymap sasl-password; do
    if [[ -f ${config}/postfix-${name}.cf ]]; then sha512sum "${config}/postfix-${name}.cf"; fi
  done
}
