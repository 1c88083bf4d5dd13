#!/bin/bash
# What must be replaced.
function _setup_relayhost() {
  _dms_panic__general 'the original relay.sh is still here' 'relay.sh'
}

function _process_relayhost_configs() {
  _setup_relayhost
}
