#!/bin/bash
# _look LEVEL MESSAGE: prints a log line as DMS does since version 14.
function _look() {
  echo -e "$(date +'%F %T%:z') $(printf '%-5s' "${1^^}") $(basename "$0"): $2"
}
