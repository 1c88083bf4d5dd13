# From here on this is tools/completion.zsh, which asks dms-relay for the words in the inputs.

# Prints the words that dms-relay offers, from the directories that the line names.
_dms_relay_ask() {
  dms-relay $_dms_relay_directories complete $1 2>/dev/null
}

# The arguments of these are those of compadd.
_dms_relay_domains() { _dms_relay_senders "$@" -- ${(f)"$(_dms_relay_ask domains)"} }
_dms_relay_relays() { compadd "$@" -- ${(f)"$(_dms_relay_ask relays)"} }
_dms_relay_tried() { compadd "$@" -M 'l:|=*' -- ${(f)"$(_dms_relay_ask tried)"} }
_dms_relay_mapped() { _dms_relay_senders "$@" -- ${(f)"$(_dms_relay_ask mapped)"} }
_dms_relay_logins() { _dms_relay_senders "$@" -- ${(f)"$(_dms_relay_ask logins)"} }
# A login by sender is among the domains already, without its @.
_dms_relay_domains_and_logins() {
  _dms_relay_senders "$@" -- ${(f)"$(_dms_relay_ask domains)"} ${${(f)"$(_dms_relay_ask logins)"}:#@*}
}

# A domain can be typed with or without a leading @, a relay without its [, which starts a subscript in zsh.
_dms_relay_senders() {
  local -i end=$argv[(i)--]
  local -a options=("${(@)argv[1,end - 1]}") found=("${(@)argv[end + 1,-1]}") senders
  local typed=${(Q)PREFIX}
  case $typed in
    (@*)
      senders=(${found:#*[]@:\<[]*})
      found=(${found:|senders} @${^senders})
      ;;
    (?*)
      found=(${found#@})
      compadd "${(@)options}" -M 'l:|=*' -- ${(M)found:#\[${(b)typed}*}
      ;;
  esac
  compadd "${(@)options}" -- $found
}

_dms_relay() {
  local -a _dms_relay_directories
  local -A opt_args
  local -i at
  local named
  for ((at = 2; at + 1 < CURRENT; at++)); do
    case $words[at] in
      (--config-dir|--postfix-dir) named=${words[at + 1]} ;;
      (--config-dir=*|--postfix-dir=*) named=${words[at]#*=} ;;
      (*) continue ;;
    esac
    _dms_relay_directories+=(${words[at]%%=*} ${${(Q)named}/#\~\//$HOME/})
  done
  _shtab_dms_relay "$@"
}

if [[ $zsh_eval_context[-1] == (eval|file) ]]; then
  # eval or source: register the function for later
  compdef _dms_relay dms-relay
else
  # from fpath: this file is the function
  _dms_relay "$@"
fi
