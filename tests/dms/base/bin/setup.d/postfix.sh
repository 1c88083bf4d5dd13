#!/bin/bash
function _setup_postfix_early() {
  _log debug 'Configuring Postfix (early setup)'
  _create_postfix_vhost
}

# The user's own settings come last, and win.
function _setup_postfix_late() {
  _log debug 'Configuring Postfix (late setup)'
  _setup_relayhost
  local own=/tmp/docker-mailserver/postfix-main.cf
  if [[ -f ${own} ]]; then
    cat "${own}" >> /etc/postfix/main.cf
    _adjust_mtime_for_postfix_maincf
    postconf -n > /tmp/postfix-main-new.cf 2>/dev/null
    mv /tmp/postfix-main-new.cf /etc/postfix/main.cf
    _adjust_mtime_for_postfix_maincf
  fi
}
