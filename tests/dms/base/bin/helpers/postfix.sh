#!/bin/bash
# Writes the domains of the accounts and aliases into the file that Postfix and the relay helper read.
function _create_postfix_vhost() {
  local config=/tmp/docker-mailserver
  {
    sed -n 's/^[^#|@]*@\([^|]*\)|.*/\1/p' "${config}/postfix-accounts.cf" 2>/dev/null
    sed -n 's/^[^#@[:space:]]*@\([^[:space:]]*\)[[:space:]].*/\1/p' "${config}/postfix-virtual.cf" 2>/dev/null
  } | sort -u > /etc/postfix/vhost
}

# Postfix waits for a main.cf that was written less than two seconds ago.
function _adjust_mtime_for_postfix_maincf() {
  touch -d '2 seconds ago' /etc/postfix/main.cf
}

function _reload_postfix() {
  _adjust_mtime_for_postfix_maincf
  postfix reload
}
