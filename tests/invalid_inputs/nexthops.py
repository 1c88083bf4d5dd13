"""Nexthops that Postfix cannot use, in ``postfix-relaymap.cf`` and ``DEFAULT_RELAY_HOST``."""

from __future__ import annotations

from tests.invalid_inputs import SECRET, in_file, relaymap, setting

COMMENT = "a comment follows the nexthop -- write comments on separate lines"
TEXT = "text after the nexthop -- write comments on separate lines; separate nexthops with commas"
LOGIN = "write [host]:port; a login goes in postfix-sasl-password.cf"
NO_PORT = f"the text after the colon is not a port -- {LOGIN}"
AT = f"the nexthop contains an @ -- {LOGIN}"
ODD_BLANK = "the text contains a no-break space or the like -- type a plain space instead"
EVERYBODY = "is not a wildcard here -- set DEFAULT_RELAY_HOST, which serves every other sender"
SUBDOMAINS = "the key means all subdomains elsewhere, but not here -- name each subdomain"
ANY_LOGIN = "is not a wildcard here -- write the relay's nexthop as the key: such a login serves every sender"
DIRECTLY = (
    "to send it directly, write @a.test alone, and set RELAY_ROUTING=transports where DEFAULT_RELAY_HOST is set;"
    " or a.test: direct under senders in relay.yaml"
)
NOT_VALID = "is not valid -- use letters, digits, hyphens and dots only"

COMMENTS = (
    relaymap("a lone comment as the value", "@a.test # note\n", f"1: {COMMENT}"),
    relaymap("a comment after the nexthop", "@a.test [r.test]:587 # note\n", f"1: {COMMENT}"),
    relaymap("a comment without a blank", "@a.test [r.test]:587 #note\n", f"1: {COMMENT}"),
    relaymap("a comment after a comma", "@a.test [r.test]:587, # note\n", f"1: {COMMENT}"),
    relaymap("a comment glued to the port", "@a.test [r.test]:587#note\n", f"1: {NO_PORT}"),
    relaymap("a word after the nexthop", "@a.test [r.test]:587 note\n", f"1: {TEXT}"),
    relaymap("another host after a blank", "@a.test a.test b.test\n", f"1: {TEXT}"),
    relaymap("a semicolon comment", "@a.test [r.test]:587 ; note\n", f"1: {TEXT}"),
    relaymap(
        "the port after a blank",
        "@a.test smtp.test 587\n",
        "1: the port follows a space -- write a colon before the port: [host]:port",
    ),
    setting("DEFAULT_RELAY_HOST with a comment", f"env DEFAULT_RELAY_HOST: {COMMENT}", DEFAULT_RELAY_HOST="r.test # x"),
)

BRACKETS = (
    relaymap(
        "no closing bracket",
        "@a.test [smtp.example.com:587\n",
        '1: nexthop "[smtp.example.com:587" has no closing bracket -- write [smtp.example.com]:587',
    ),
    relaymap(
        "no closing bracket and no port",
        "@a.test [smtp.example.com\n",
        '1: nexthop "[smtp.example.com" has no closing bracket -- write [host]:port',
    ),
    relaymap(
        "no opening bracket",
        "@a.test smtp.example.com]:25\n",
        '1: nexthop "smtp.example.com]:25" has no opening bracket -- write [smtp.example.com]:25',
    ),
    relaymap("no colon", "@a.test [r.test]587\n", "1: text after the closing bracket -- write [host]:port"),
    relaymap(
        "nothing in the brackets", "@a.test []:587\n", "1: the host name is missing -- write the relay's host name"
    ),
    relaymap("double brackets", "@a.test [[r.test]]:587\n", "1: text after the closing bracket -- write [host]:port"),
    relaymap(
        "a transport",
        "@a.test smtp:[r.test]:587\n",
        "1: there is a transport before the nexthop -- write only the nexthop: [host]:port",
    ),
    relaymap("a URL", "@a.test smtp://r.test:587\n", "1: the nexthop is a URL -- write [host]:port"),
    setting(
        "a URL with a login",
        "env DEFAULT_RELAY_HOST: the nexthop is a URL -- write [host]:port",
        DEFAULT_RELAY_HOST=f"smtps://user:{SECRET}@r.test:465",
    ),
)

PORTS = (
    relaymap(
        "port 0",
        "@a.test [r.test]:0\n",
        '1: port "0" is not a number from 1 to 65535 -- write the relay\'s port, such as 587',
    ),
    relaymap(
        "port 65536",
        "@a.test r.test:65536\n",
        '1: port "65536" is not a number from 1 to 65535 -- write the relay\'s port, such as 587',
    ),
    relaymap(
        "a long number, which may be a password",
        "@a.test user:0123456789\n",
        "1: port is not a number from 1 to 65535 -- write the relay's port, such as 587",
    ),
    relaymap("an unknown service", "@a.test [r.test]:mail\n", f"1: {NO_PORT}"),
    relaymap(
        "a colon and no port", "@a.test [r.test]:\n", "1: the port is missing after the colon -- write [host]:port"
    ),
    relaymap("two ports", "@a.test r.test:25:587\n", f"1: {NO_PORT}"),
    relaymap("a negative port", "@a.test [r.test]:-1\n", f"1: {NO_PORT}"),
    relaymap("Arabic digits", "@a.test [r.test]:٥٨٧\n", f"1: {NO_PORT}"),
    relaymap("a port alone", "@a.test :587\n", "1: the host name is missing -- write the relay's host name"),
)

PASTED = (
    relaymap("a login", f"@a.test user:{SECRET}\n", f"1: {NO_PORT}"),
    relaymap(
        "a login with a bracket in it",
        f"@a.test {SECRET}]x:587\n",
        "1: nexthop has no opening bracket -- write [host]:port",
    ),
    relaymap(
        "a login, colon and bracket",
        f"@a.test user:{SECRET}]x\n",
        "1: nexthop has no opening bracket -- write [host]:port",
    ),
    relaymap(
        "a login after an opening bracket",
        f"@a.test [user:{SECRET}\n",
        "1: nexthop has no closing bracket -- write [host]:port",
    ),
    relaymap("a login before the host", f"@a.test user:{SECRET}@r.test:587\n", f"1: {AT}"),
    relaymap("an address", "@a.test someone@b.test\n", f"1: {AT}"),
    relaymap("nexthop and login", f"@a.test [r.test]:587 user:{SECRET}\n", f"1: {TEXT}"),
)

HOSTS = (
    relaymap(
        "an IPv6 address without brackets",
        "@a.test 2001:db8::1\n",
        '1: IPv6 address "2001:db8::1" has no brackets -- write [address]:port',
    ),
    relaymap(
        "not an IPv6 address",
        "@a.test [2001:db8::g]:25\n",
        "1: the host contains a colon, but is not an IPv6 address -- write a host name or address",
    ),
    relaymap(
        "a number too large",
        "@a.test [300.0.2.1]\n",
        '1: host "300.0.2.1" is not an IPv4 address -- write four numbers from 0 to 255, or a host name',
    ),
    relaymap(
        "three numbers",
        "@a.test 192.0.2:25\n",
        '1: host "192.0.2" is not an IPv4 address -- write four numbers from 0 to 255, or a host name',
    ),
    relaymap("a hyphen first", "@a.test -r.test\n", f'1: host name "-r.test" {NOT_VALID}'),
    relaymap("two dots", "@a.test [r..test]:25\n", f'1: host name "r..test" {NOT_VALID}'),
    relaymap("a dot at the end", "@a.test r.test.:25\n", '1: host name "r.test." ends in a dot -- remove the dot'),
    relaymap("a label of 64", f"@a.test {'x' * 64}.test\n", f'1: host name "{"x" * 64}.test" {NOT_VALID}'),
    relaymap(
        "a megabyte", f"@a.test {'x' * 2**20}\n", "1: the host name is longer than 255 octets -- write a host name"
    ),
    relaymap("a megabyte of colons", f"@a.test {':' * 2**20}g\n", f"1: {NO_PORT}"),
    relaymap("a slash", "@a.test r.test/25\n", f"1: host name {NOT_VALID}"),
    relaymap("quotes", '@a.test "[r.test]:25"\n', "1: the value has quotes around it -- remove the quotes"),
    relaymap("a no-break space after the key", "@a.test\u00a0[r.test]:587\n", f"1: {ODD_BLANK}"),
    relaymap("a no-break space between nexthops", "@a.test [a.test]:587\u00a0[b.test]:587\n", f"1: {ODD_BLANK}"),
    relaymap("a zero-width space", "@a.test r.test\u200b:587\n", f"1: {ODD_BLANK}"),
    relaymap("a form feed", "@a.test a.test\fb.test\n", f"1: {ODD_BLANK}"),
    relaymap(
        "a comma at the end",
        "@a.test [r.test]:587,\n",
        "1: a nexthop is missing before or after a comma -- write [host1]:587, [host2]:587",
    ),
)

KEYS = (
    relaymap("an opt-out with two @", "@@a.test\n", "1: the key is not an address -- write @domain or user@domain"),
    relaymap("a key with a bad domain", "@a_.-test [r.test]\n", f"1: domain in the key {NOT_VALID}"),
    relaymap("an @ alone", "@ [r.test]\n", f"1: @ {EVERYBODY}"),
    relaymap("everybody", "@* [r.test]\n", f"1: @* {EVERYBODY}"),
    relaymap("everybody in SQL", "%@% [r.test]\n", f"1: %@% {EVERYBODY}"),
    relaymap("a pattern as the domain", "@*.a.test [r.test]\n", f"1: {SUBDOMAINS}"),
    relaymap("a dot before the domain", "@.a.test [r.test]\n", f"1: {SUBDOMAINS}"),
    relaymap("a transport alone", "@a.test smtp:\n", f"1: there is a transport instead of the nexthop -- {DIRECTLY}"),
    relaymap(
        "a port inside the brackets",
        "@a.test [r.test:587]\n",
        "1: the port is inside the brackets -- write [r.test]:587",
    ),
    in_file("postfix-sasl-password.cf", "everybody", f"* u:{SECRET}\n", f"1: * {ANY_LOGIN}"),
    in_file("postfix-sasl-password.cf", "any domain", f"@* u:{SECRET}\n", f"1: @* {ANY_LOGIN}"),
    relaymap(
        "a dot at the end of the key", "@a.test. [r.test]\n", "1: domain in the key ends in a dot -- remove the dot"
    ),
    relaymap(
        "a quoted key",
        '"some one"@a.test [r.test]\n',
        "1: the key contains a quote, a backslash or a control character -- write @domain or user@domain",
    ),
    relaymap(
        "a quote in the key",
        'o"b@a.test [r.test]\n',
        "1: the key contains a quote, a backslash or a control character -- write @domain or user@domain",
    ),
    relaymap(
        "a backslash in the key",
        "o\\b@a.test [r.test]\n",
        "1: the key contains a quote, a backslash or a control character -- write @domain or user@domain",
    ),
    relaymap(
        "a login as the key",
        f"user:{SECRET}@r.test [r.test]\n",
        "1: the key is not an address -- write @domain or user@domain",
    ),
    relaymap(
        "a megabyte before the @",
        f"{'x' * 2**20}@a.test [r.test]\n",
        "1: the key is longer than 320 octets -- write @domain or user@domain",
    ),
)

CASES = (*COMMENTS, *BRACKETS, *PORTS, *PASTED, *HOSTS, *KEYS)
