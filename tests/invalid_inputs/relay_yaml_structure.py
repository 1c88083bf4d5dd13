"""What YAML cannot read in ``relay.yaml``, keys that are wrong, and values that YAML takes for something else."""

from __future__ import annotations

from tests.invalid_inputs.relay_yaml_kinds import relay, text

TWICE = "-- keep only one of them: YAML would silently drop the first"
NO_HOST = "not a host name or address -- put it in quotes"
RELAY_KEYS = "use one of host, hosts, port, mx, login, tls"
NAME = "the name of a relay may contain only a-z, 0-9 and - -- write one such as mailgun-eu"
EMPTY = " is empty -- write version: 1 and relays, or remove the file"
NEW_FILE = " -- write version: 1, and relays: with the relays below it"
LEVELS = "one of secure, verify, dane-only, dane, fingerprint, encrypt, may, none"

YAML = (
    text("empty", "", EMPTY),
    text("a comment alone", "# nothing yet\n", EMPTY),
    text("no value", "---\n", f"2:1: there is no value{NEW_FILE}"),
    text(
        "two documents",
        "version: 1\n---\nversion: 1\n",
        "2:1: a second document begins here -- keep only one, and remove the line ---",
    ),
    text("a list", "- version: 1\n", f"1:1: a list instead of a mapping{NEW_FILE}"),
    text("a text", "s3cret-P4ss\n", f"1:1: a text instead of a mapping{NEW_FILE}"),
    text("a tag", "!relays\nversion: 1\n", "1:1: a YAML tag -- remove the tag"),
    text(
        "a tab",
        "version: 1\nrelays:\n	r: {host: r.test}\n",
        "3:1: a tab where YAML needs spaces -- indent with spaces",
    ),
    text(
        "an indent",
        "version: 1\n  relays:\n    r: {host: r.test}\n",
        "2:9: a colon where no key is allowed -- put the value in quotes, or correct the indentation",
    ),
    text(
        "an indent that ends elsewhere",
        "version: 1\nrelays:\n    r:\n        host: r.test\n      port: 587\n",
        "5:7: no key where one should be -- correct the indentation, or the quotes before it",
    ),
    text(
        "a control character", "version: 1\n# \x01\n", "2:3: contains a character that YAML does not allow -- remove it"
    ),
    text(
        "NUL",
        b"version: 1\nrelays:\n  r:\x00 {host: r.test}\n",
        "3: contains a NUL byte -- save it as plain text",
    ),
    text("Latin-1", b"version: 1\n# \xfc\n# s3cret-P4ss\n", "2: is not UTF-8 -- save the file as UTF-8"),
    text(
        "UTF-16", b"\xff\xfev\x00e\x00r\x00s\x00i\x00o\x00n\x00:\x00 \x001\x00\n\x00", " is UTF-16 -- save it as UTF-8"
    ),
    text(
        "line ends of old",
        b"version: 1\rdefault: direct",
        "1: contains a carriage return in the middle -- save the file with line ends of Unix (LF) or Windows (CRLF)",
    ),
    text(
        "nested too deeply",
        "version: 1\nrelays: " + "[" * 17 + "]" * 17,
        "2:24: nested too deeply -- write it as docs/relay-yaml.md shows",
    ),
    text(
        "nested too deeply, in lines",
        "".join(f"{' ' * depth}a:\n" for depth in range(40)),
        "17:17: nested too deeply -- write it as docs/relay-yaml.md shows",
    ),
    text(
        "an alias of itself",
        "version: 1\nrelays: &a {r: *a}\n",
        "2:9: host or hosts is missing -- write host: a host name or address",
        f"2:13: unknown key -- {RELAY_KEYS}",
    ),
    text(
        "an alias of nothing",
        "version: 1\nrelays: {r: {host: *nowhere}}\n",
        "2:20: the text after * is not the name of an anchor -- put the value in quotes",
    ),
    text(
        "a merge key",
        "version: 1\ndefault: a\nrelays:\n  a: &a {host: a.test}\n  b:\n    <<: *a\n    host: b.test\n",
        "6:5: merge keys are not supported -- write the keys out, or use an alias for a whole value",
    ),
    *(
        text(
            f"a misspelled key with {kind}",
            f"version: 1\nrelays: {{a: {{hots: {value}}}}}\ndefault: a\n",
            f"2:14: unknown key -- write {meant}",
        )
        for kind, value, meant in (("a host", "a.test", "host"), ("several hosts", "[a.test, b.test]", "hosts"))
    ),
    text(
        "what is wrong at an anchor, once",
        (
            "version: 1\n"
            "relays:\n"
            "  a: {host: a.test, login: &l {usernam: u, password_file: /nowhere}}\n"
            "  b: {host: b.test, login: *l}\n"
        ),
        "3:32: unknown key -- write username",
        "3:59: the file that it names cannot be read: No such file or directory -- mount the file, or name another",
    ),
)

KEYS = (
    text("no version", "relays: {r: {host: r.test}}\n", "1:1: version is missing -- write version: 1"),
    text("version 2", "version: 2\n", '1:10: "2" is not 1 -- write 1'),
    text("version in quotes", 'version: "1"\n', '1:10: "1" is a text to YAML, not 1 -- write 1, without quotes'),
    text("version with a dot", "version: 1.0\n", '1:10: "1.0" is not 1 -- write 1'),
    text("an unknown key", "version: 1\nrelay:\n  r: {host: r.test}\n", '2:1: unknown key "relay" -- write relays'),
    text(
        "a key unlike any",
        "version: 1\nzzz: 1\n",
        '2:1: unknown key "zzz" -- use one of version, relays, default, senders, recipients',
    ),
    text(
        "a key that is no word",
        "version: 1\ns3cret-P4ss: 1\n",
        "2:1: unknown key -- use one of version, relays, default, senders, recipients",
    ),
    text(
        "an unknown key of a relay",
        "version: 1\nrelays:\n  r:\n    host: r.test\n    prot: 465\n    user: u\n",
        '5:5: unknown key "prot" -- write port',
        f'6:5: unknown key "user" -- {RELAY_KEYS}',
    ),
    text(
        "an unknown key of tls",
        "version: 1\nrelays:\n  r:\n    host: r.test\n    tls:\n      levl: may\n",
        '6:7: unknown key "levl" -- write level',
    ),
    text(
        "an unknown key of a sender",
        "version: 1\nrelays:\n  r: {host: r.test}\nsenders:\n  a.test:\n    rely: r\n",
        '6:5: unknown key "rely" -- write relay',
    ),
    text("a key twice", "version: 1\nrelays: {}\nrelays: {}\n", f"3:1: the key is already at 2:1 {TWICE}"),
    text(
        "a key of a relay twice",
        "version: 1\nrelays:\n  r:\n    host: a.test\n    host: b.test\n",
        f"5:5: the key is already at 4:5 {TWICE}",
    ),
    text(
        "a relay twice",
        "version: 1\nrelays:\n  r: {host: a.test}\n  r: {host: b.test}\n",
        f"4:3: the key is already at 3:3 {TWICE}",
    ),
    text(
        "a list as a key",
        "version: 1\nrelays:\n  ? [a, b]\n  : {host: r.test}\n",
        "3:5: a list where a key must be -- write a key and its value: key: value",
    ),
    text(
        "relays as a list",
        "version: 1\nrelays:\n  - r: {host: r.test}\n",
        "3:3: a list instead of a mapping of relays -- write the name of each relay, and host: below it",
    ),
    text(
        "no relays below it",
        "version: 1\nrelays:\n",
        "2:8: there is no value -- write the name of each relay, and host: below it",
    ),
    text(
        "default as a list",
        "version: 1\ndefault: [r]\n",
        "2:10: a list instead of the name of a relay, or direct -- write the name of a relay, or direct",
    ),
    text(
        "senders as a list, recipients as a text",
        "version: 1\nsenders:\n  - a.test: r\nrecipients: r\n",
        "3:3: a list instead of a mapping of senders -- write sender: relay, each on a line of its own",
        "4:13: a text instead of a mapping of recipients -- write recipient: relay, each on a line of its own",
    ),
    text("relay name A", "version: 1\nrelays:\n  A: {host: r.test}\n", f"3:3: {NAME}"),
    text("relay name a_b", "version: 1\nrelays:\n  a_b: {host: r.test}\n", f"3:3: {NAME}"),
    text("relay name a.b", "version: 1\nrelays:\n  a.b: {host: r.test}\n", f"3:3: {NAME}"),
    text('relay name "a b"', 'version: 1\nrelays:\n  "a b": {host: r.test}\n', f"3:3: {NAME}"),
    text('relay name "<>"', 'version: 1\nrelays:\n  "<>": {host: r.test}\n', f"3:3: {NAME}"),
    text(
        "relay name direct",
        "version: 1\nrelays:\n  direct: {host: r.test}\n",
        "3:3: direct is not the name of a relay -- choose another name: direct means the recipient's own server",
    ),
    text(
        "relay name 12",
        "version: 1\nrelays:\n  12: {host: r.test}\n",
        '3:3: "12" is a number to YAML, not the name of a relay -- put it in quotes',
    ),
    text(
        "relay name no",
        "version: 1\nrelays:\n  no: {host: r.test}\n",
        '3:3: "no" is a truth value to YAML, not the name of a relay -- put it in quotes',
    ),
    text(
        'relay name ""',
        'version: 1\nrelays:\n  "": {host: r.test}\n',
        "3:3: there is no value -- write the name of a relay",
    ),
    text(
        "a long relay name",
        "version: 1\nrelays:\n  " + "a" * 65 + ": {host: r.test}\n",
        "3:3: the name of a relay is longer than 64 characters -- write a shorter one",
    ),
)

TURNED = (
    relay("host: no", "{host: no}", f'4:13: "no" is a truth value to YAML, {NO_HOST}'),
    relay("host: yes", "{host: yes}", f'4:13: "yes" is a truth value to YAML, {NO_HOST}'),
    relay("host: 0123", "{host: 0123}", f'4:13: "0123" is a number to YAML, {NO_HOST}'),
    relay("host: 1:30", "{host: 1:30}", f'4:13: "1:30" is a number to YAML, {NO_HOST}'),
    relay("host: 12", "{host: 12}", f'4:13: "12" is a number to YAML, {NO_HOST}'),
    relay("host: 1.5", "{host: 1.5}", f'4:13: "1.5" is a number to YAML, {NO_HOST}'),
    relay("host: null", "{host: null}", "4:13: there is no value -- write a host name or address"),
    relay("host: ~", "{host: ~}", "4:13: there is no value -- write a host name or address"),
    relay("host: nothing", "{host: }", "4:13: there is no value -- write a host name or address"),
    relay("host: 2024-01-01", "{host: 2024-01-01}", f'4:13: "2024-01-01" is a date to YAML, {NO_HOST}'),
    relay("host: 0x1f", "{host: 0x1f}", f'4:13: "0x1f" is a number to YAML, {NO_HOST}'),
    relay("host: =", "{host: =}", f"4:13: the value is a default value to YAML, {NO_HOST}"),
    relay(
        "host: [r.test]",
        "{host: [r.test]}",
        "4:13: a list instead of a host name or address -- write hosts: [first, second]",
    ),
    relay(
        "host: {r.test: 25}",
        "{host: {r.test: 25}}",
        "4:13: a mapping instead of a host name or address -- write a host name or address",
    ),
    relay(
        "host: !host r.test",
        "{host: !host r.test}",
        "4:13: a YAML tag -- write a host name or address; in quotes if it begins with !",
    ),
    relay("host: !!int 12", "{host: !!int 12}", f'4:13: "12" is a number to YAML, {NO_HOST}'),
    relay('host: ""', '{host: ""}', "4:13: there is no value -- write a host name or address"),
    relay(
        "a level",
        "{host: r.test, tls: {level: no}}",
        f'4:34: "no" is a truth value to YAML, not {LEVELS} -- write {LEVELS}',
    ),
    relay(
        "a match",
        "{host: r.test, tls: {match: [1.5, no]}}",
        '4:35: "1.5" is a number to YAML, not a name that the certificate must have -- put it in quotes',
        '4:40: "no" is a truth value to YAML, not a name that the certificate must have -- put it in quotes',
    ),
    text(
        "a sender",
        "version: 1\nrelays: {r: {host: r.test}}\nsenders:\n  1.5: r\n  a.test: no\n  ~: r\n",
        '4:3: "1.5" is a number to YAML, not a sender: a domain, an address, or <> -- put it in quotes',
        '5:11: "no" is a truth value to YAML, not the name of a relay, or direct -- put it in quotes',
        "6:3: there is no value -- write a sender: a domain, an address, or <>",
    ),
    text(
        "a recipient",
        "version: 1\nrelays: {r: {host: r.test}}\nrecipients:\n  12: r\n  a.test: ~\n",
        '4:3: "12" is a number to YAML, not a recipient: a domain, an address, or .domain -- put it in quotes',
        "5:11: there is no value -- write the name of a relay, or direct",
    ),
)

CASES = (*YAML, *KEYS, *TURNED)
