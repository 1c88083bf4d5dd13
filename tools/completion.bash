# shellcheck shell=bash
# From here on this is tools/completion.bash, which asks dms-relay for the words in the inputs, and splits the line as the shell
# does: bash itself also splits it at each : and @, and [smtp.example.com]:587 would be three words.

# Prints the words that dms-relay offers, from the directories that the line names.
_dms_relay_ask() {
  dms-relay "${directories[@]}" complete "$1" 2>/dev/null
}

_dms_relay_domains() { _dms_relay_ask domains | _dms_relay_senders | _dms_relay_offer; }
_dms_relay_relays() { _dms_relay_ask relays | _dms_relay_offer; }
_dms_relay_tried() { _dms_relay_ask tried | _dms_relay_offer; }
_dms_relay_mapped() { _dms_relay_ask mapped | _dms_relay_senders | _dms_relay_offer; }
_dms_relay_logins() { _dms_relay_ask logins | _dms_relay_senders | _dms_relay_offer; }
# A login by sender is among the domains already, without its @.
_dms_relay_domains_and_logins() {
  { _dms_relay_ask domains; _dms_relay_ask logins | grep -v '^@'; } | _dms_relay_senders | _dms_relay_offer
}

# A domain can be typed with or without a leading @.
_dms_relay_senders() {
  local word
  while IFS= read -r word; do
    case $typed in
      @*) [[ $word == *[]@:\<[]* ]] || word=@$word ;;
      ?*) word=${word#@} ;;
    esac
    printf '%s\n' "$word"
  done
}

# Prints the words that begin like the typed one, quoted in the same way, without the part that readline keeps. Expands nothing
# in a word: a configuration file may contain $(...).
_dms_relay_offer() {
  local word
  while IFS= read -r word; do
    [[ $word == "$typed"* ]] || continue
    word=${word#"$kept"}
    case $open_quote in
      \') printf '%s\n' "${word//\'/\'\\\'\'}" ;;
      \") printf '%s\n' "$word" | sed 's/[\\"$`]/\\&/g' ;;
      *) printf '%q\n' "$word" ;;
    esac
  done
}

# shtab treats this function's words as file names, which readline quotes.
_dms_relay_directories() {
  local word
  compgen -d -- "$typed" | while IFS= read -r word; do printf '%s\n' "${word#"$kept"}"; done
}

# Splits the line at unquoted blanks, up to the cursor. $1 is what readline is about to replace.
# Sets words (as typed), plain (without quotes), open_quote, and kept: the part of the last word that readline keeps.
_dms_relay_read_line() {
  local line=${COMP_LINE:0:COMP_POINT} raw='' text='' char at
  local start=$((${#line} - ${#1}))
  for ((at = 0; at < ${#line}; at++)); do
    ((at == start)) && kept=$text
    char=${line:at:1}
    if [[ $char == "$open_quote" ]]; then
      open_quote='' raw+=$char
    elif [[ $char == \\ && $open_quote != \' && ($open_quote == '' || ${line:at+1:1} == [\\\"\$\`]) ]]; then
      raw+=${line:at:2} text+=${line:at+1:1}
      ((at += 1))
    elif [[ $open_quote == '' && $char == [\'\"] ]]; then
      open_quote=$char raw+=$char
    elif [[ $open_quote == '' && $char == [[:blank:]\<\>] ]]; then
      [[ $raw == '' ]] || _dms_relay_add_word
      raw='' text=''
      [[ $char == [[:blank:]] ]] || { words+=("$char"); plain+=("$char"); }
    else
      raw+=$char text+=$char
    fi
  done
  ((start == ${#line})) && kept=$text
  _dms_relay_add_word
}

# --option=value is two words for shtab.
_dms_relay_add_word() {
  if [[ $raw == --*=* ]]; then
    words+=("${raw%%=*}") plain+=("${text%%=*}")
    raw=${raw#*=} text=${text#*=} kept=${kept#--*=}
  fi
  words+=("$raw") plain+=("$text")
}

_dms_relay() {
  local words=() plain=() open_quote='' kept='' directories=() COMP_WORDS=() at
  _dms_relay_read_line "$2"
  if [[ ${1##*/} == setup ]]; then
    # docker-mailserver's command: setup relay COMMAND. The rest of setup is not ours.
    if [[ ${#plain[@]} -eq 2 || ${plain[1]} != relay ]]; then
      compopt -o default
      [[ ${#plain[@]} -eq 2 && relay == "${plain[1]}"* ]] && COMPREPLY=(relay)
      return
    fi
    words=("${words[@]:1}") plain=("${plain[@]:1}")
  fi
  for ((at = 0; at + 1 < ${#words[@]}; at++)); do
    COMP_WORDS+=("${words[at]}")
    case ${words[at]} in --config-dir | --postfix-dir) directories+=("${words[at]}" "${plain[at + 1]/#~\//$HOME/}") ;; esac
  done
  local typed=${plain[at]} COMP_CWORD=$at
  COMP_WORDS+=("$typed")
  _shtab_dms_relay
}

complete -F _dms_relay dms-relay
complete -p setup >/dev/null 2>&1 || complete -F _dms_relay setup
