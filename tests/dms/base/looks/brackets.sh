#!/bin/bash
# _look LEVEL MESSAGE: prints a log line as DMS did up to version 13.
declare -A LABELS=(
  [error]=$'  \e[1;31mERROR  ' [warn]=$' \e[1;33mWARNING ' [info]=$'   \e[0;34mINF   '
  [debug]=$'  \e[0;35mDEBUG  ' [trace]=$'  \e[0;36mTRACE  '
)

function _look() {
  echo -e $'\e[0m['"${LABELS[$1]}"$'\e[0m]  '"$2"
}
