"""Logins in ``relay.yaml`` that cannot be used. No message shows any part of a password."""

from __future__ import annotations

import os

from tests.invalid_inputs.relay_yaml_kinds import block, login, relay, text

NO_FILE = "the file that it names cannot be read: No such file or directory -- mount the file, or name another"
DIRECTORY = (
    "the file that it names cannot be read: Is a directory -- "
    "a file that is mounted must be there before the container is made"
)
PATH = "this is not the absolute path of a file -- write its path from /, such as /run/secrets/relay"
OPEN = "a brace or bracket is not closed before this -- close it; a value that begins with one of these goes in quotes"
RELAY_KEYS = "known are host, hosts, port, mx, login, tls"
LOGIN_KEYS = "known are username, password, password_file, password_env, mechanisms, oauth2"
IN_QUOTES = "not the password -- put it in quotes"
TAG = "a YAML tag -- write the password; in quotes where it begins with !"
ESCAPE = "a backslash in double quotes begins no escape that YAML knows -- write two of them, or use single quotes"
CHARACTER = "no value can begin with this character -- put the value in quotes"
BLANK = "begins or ends with a space, which a lookup table cannot hold -- remove the space"
MIDDLE = (
    "the password contains a line end or a NUL, which a lookup table cannot hold --"
    " write only the password, on one line"
)
LINE_END = (
    "the password ends in a line end, which a lookup table cannot hold -- remove the line end, which is hardly part of the"
    " password: printf writes none, echo and editors do"
)
A_LOGIN = "instead of a login -- write username: and password_file: below it"
NOT_SET = "the variable it names is not set -- set it, or name another"

PASSWORDS = (
    login("password: no", "{username: u, password: no}", f"6:36: the value is a truth value to YAML, {IN_QUOTES}"),
    login("password: 12", "{username: u, password: 12}", f"6:36: the value is a number to YAML, {IN_QUOTES}"),
    login("password: 1:30", "{username: u, password: 1:30}", f"6:36: the value is a number to YAML, {IN_QUOTES}"),
    login("password: null", "{username: u, password: null}", "6:36: there is no value -- write the password"),
    login("password: a date", "{username: u, password: 2024-01-01}", f"6:36: the value is a date to YAML, {IN_QUOTES}"),
    login("password: nothing", '{username: u, password: ""}', "6:36: there is no value -- write the password"),
    login("password: a blank before", '{username: u, password: " s3cret-P4ss"}', f"6:36: the password {BLANK}"),
    login("password: a line end", '{username: u, password: "s3cret-P4ss\\n"}', f"6:36: {LINE_END}"),
    login("password: a tag", "{username: u, password: !s3cret-P4ss x}", f"6:36: {TAG}"),
    login(
        "password: an anchor", "{username: u, password: &s3cret-P4ss}", "6:36: there is no value -- write the password"
    ),
    login(
        "password: an undefined alias",
        "{username: u, password: *s3cret-P4ss}",
        "6:36: the text after * is not the name of an anchor -- put the value in quotes",
    ),
    login("password: a bad escape", '{username: u, password: "s3cret-P4ss\\q"}', f"6:48: {ESCAPE}"),
    login("password: a bad escape of two", '{username: u, password: "\\xs3cret-P4ss"}', f"6:39: {ESCAPE}"),
    login("password: an at sign", "{username: u, password: @s3cret-P4ss}", f"6:36: {CHARACTER}"),
    login("password: a percent sign", "{username: u, password: %s3cret-P4ss}", f"6:36: {CHARACTER}"),
    login("password: a backquote", "{username: u, password: `s3cret-P4ss}", f"6:36: {CHARACTER}"),
    login(
        "password: an open quote",
        '{username: u, password: "s3cret-P4ss}',
        "7:1: a quote is open at the end -- close it",
    ),
    login(
        "password: an open quote of the other kind",
        "{username: u, password: 's3cret-P4ss}",
        "7:1: a quote is open at the end -- close it",
    ),
    login("password: a colon and a blank", "{username: u, password: s3cret-P4ss: s3cret-P4ss}", f"6:47: {OPEN}"),
    login("password: a bracket", "{username: u, password: [s3cret-P4ss}", f"6:48: {OPEN}"),
    login(
        "password: a closed bracket",
        "{username: u, password: [s3cret-P4ss]}",
        "6:36: a list instead of the password -- write the password",
    ),
    login(
        "password: braces",
        "{username: u, password: {s3cret-P4ss: x}}",
        "6:36: a mapping instead of the password -- write the password",
    ),
    login(
        "password: a brace inside",
        "{username: u, password: s3cret}P4ss}",
        "6:43: no key where one should be -- correct the indentation, or the quotes before it",
    ),
    login(
        "password: a comma",
        "{username: u, password: s3cret,P4ss}",
        f"6:43: unknown key -- {LOGIN_KEYS}; a value with a comma in it goes in quotes",
    ),
    login(
        "password: a comma, then a key",
        "{username: u, password: s3cret, P4ss: host}",
        f"6:44: unknown key -- {LOGIN_KEYS}",
    ),
    login("password: a binary", "{username: u, password: !!binary s3cret-P4ss}", f"6:36: {TAG}"),
    block(
        "in a block: a comment",
        "s3cret-P4ss #x",
        "8:17: YAML reads the text after # as a comment -- put the value in quotes",
    ),
    block(
        "in a block: a colon",
        "s3cret-P4ss: x",
        "8:28: a colon where no key is allowed -- put the value in quotes, or correct the indentation",
    ),
    block("in a block: a literal", "|\n        s3cret-P4ss", f"8:17: {LINE_END}"),
    block(
        "in a block: a folded text",
        ">s3cret-P4ss",
        "8:18: YAML cannot read this -- correct the line, or put the value in quotes",
    ),
    block(
        "in a block: a list",
        "- s3cret-P4ss",
        "8:17: a list where none is allowed -- write it on the next line, or in quotes",
    ),
    block(
        "in a block: a question mark",
        "? s3cret-P4ss",
        "8:17: a question mark where no key is allowed -- put the value in quotes",
    ),
    block("in a block: a brace", "{s3cret-P4ss", f"9:1: {OPEN}"),
)

LOGINS = (
    login("login: a text", "user:s3cret-P4ss", f"6:12: a text {A_LOGIN}"),
    login("login: a list", "[u, s3cret-P4ss]", f"6:12: a list {A_LOGIN}"),
    login("login: no value", "", "6:11: there is no value -- write username: and password_file: below it"),
    login(
        "no user name",
        "{password: s3cret-P4ss}",
        "6:12: username is missing -- write username: the user name that the relay gave you",
    ),
    login(
        "login: no password",
        "{username: u}",
        "6:12: password_file, password_env, password or oauth2 is missing --"
        " write password_file: the absolute path of a file",
    ),
    login(
        "two passwords",
        "{username: u, password: s3cret-P4ss, password_env: E, password_file: /x}",
        "6:49: password_env together with password -- keep only one of them",
        "6:66: password_file together with password -- keep only one of them",
    ),
    login(
        "unknown keys",
        "{user: u, pass: s3cret-P4ss}",
        "6:13: unknown key -- write username",
        "6:22: unknown key -- write password",
    ),
    login(
        "login: a key unlike any",
        "{username: u, password: s3cret-P4ss, s3cret-P4ss: 1}",
        f"6:49: unknown key -- {LOGIN_KEYS}",
    ),
    login(
        "login: a key twice",
        "{username: u, username: v, password: s3cret-P4ss}",
        "6:26: the key is already at 6:13 -- keep only one of them: YAML would silently drop the first",
    ),
    login(
        "a colon in the user name",
        '{username: "u:v", password: s3cret-P4ss}',
        (
            "6:23: the user name contains a colon, "
            "where Postfix ends it -- write only the user name; if the colon belongs to it, use another login"
        ),
    ),
    login(
        "a user name that is a number",
        '{username: 12345678, password: "12345678"}',
        "6:23: the value is a number to YAML, not the user name that the relay gave you -- put it in quotes",
    ),
    login("a user name of blanks", '{username: " ", password: s3cret-P4ss}', f"6:23: the user name {BLANK}"),
    relay(
        "login keys of a relay",
        "{host: r.test, username: u, password: s3cret,P4ss}",
        f"4:21: unknown key -- {RELAY_KEYS}",
        f"4:34: unknown key -- {RELAY_KEYS}",
        f"4:51: unknown key -- {RELAY_KEYS}; a value with a comma in it goes in quotes",
    ),
    login(
        "a file that is not there",
        '{username: u, password_file: "{secrets}/pw"}',
        f"6:41: {NO_FILE}",
        code=os.EX_NOINPUT,
    ),
    login(
        "an empty file",
        '{username: u, password_file: "{secrets}/pw"}',
        "6:41: the file that it names is empty -- write the password into it",
        secrets={"pw": "\n"},
    ),
    login(
        "a mechanism that is none",
        "{username: u, password: s3cret-P4ss, mechanisms: [plain, gssapi]}",
        '6:69: "gssapi" is not one of those allowed -- write one of plain, login, cram-md5, digest-md5, ntlm, otp, srp,'
        " scram-sha-1, scram-sha-224, scram-sha-256, scram-sha-384, scram-sha-512, xoauth2, oauthbearer",
    ),
    login("a relative file", "{username: u, password_file: pw}", f"6:41: {PATH}"),
    login("the password in place of a file", "{username: u, password_file: s3cret-P4ss}", f"6:41: {PATH}"),
    login(
        "a number in place of a file",
        "{username: u, password_file: 12345678}",
        "6:41: the value is a number to YAML, not the absolute path of a file -- put it in quotes",
    ),
    login(
        "two lines",
        '{username: u, password_file: "{secrets}/pw"}',
        f"6:41: {MIDDLE}",
        secrets={"pw": "s3cret-P4ss\ns3cret-P4ss\n"},
    ),
    login(
        "a directory",
        '{username: u, password_file: "{secrets}"}',
        f"6:41: {DIRECTORY}",
        secrets={"pw": "s3cret-P4ss"},
        code=os.EX_NOINPUT,
    ),
    login(
        "a file in Latin-1",
        '{username: u, password_file: "{secrets}/pw"}',
        "6:41: the file that it names is not UTF-8 -- save the file as UTF-8",
        secrets={"pw": b"s3cret-P4ss\xfc"},
    ),
    login("a variable that is not set", "{username: u, password_env: NOPE}", f"6:40: {NOT_SET}"),
    login("a variable that is empty", "{username: u, password_env: E}", f"6:40: {NOT_SET}", env={"E": ""}),
    login("the password in place of a variable", "{username: u, password_env: s3cret_P4ss}", f"6:40: {NOT_SET}"),
    login(
        "a dollar sign",
        "{username: u, password_env: $SES_PASSWORD}",
        "6:40: not the name of a variable -- write only the name, such as SES_PASSWORD",
    ),
    login(
        "a blank at the end of a variable",
        "{username: u, password_env: E}",
        f"6:40: the password {BLANK}",
        env={"E": "s3cret-P4ss "},
    ),
    login(
        "a variable that names no file",
        "{username: u, password_env: E}",
        "env E__FILE: the file that it names cannot be read: No such file or directory -- "
        "mount the file, or remove the variable",
        env={"E__FILE": "{secrets}/pw"},
        code=os.EX_NOINPUT,
    ),
    login(
        "a variable that names an empty file",
        "{username: u, password_env: E}",
        f"6:40: {NOT_SET}",
        env={"E__FILE": "{secrets}/pw"},
        secrets={"pw": ""},
        warnings=("env E__FILE: the file that it names is empty, so nothing is set -- write the value into the file",),
    ),
    text(
        "two files that are not there",
        (
            "version: 1\n"
            "relays:\n"
            '  a: {host: a.test, login: {username: u, password_file: "{secrets}/a"}}\n'
            '  b: {host: b.test, login: {username: u, password_file: "{secrets}/b"},\n    tls: {ca_file: "{secrets}/c"}}\n'
        ),
        f"3:57: {NO_FILE}",
        f"4:57: {NO_FILE}",
        f"5:20: {NO_FILE}",
        code=os.EX_NOINPUT,
    ),
    text(
        "a file that is not there, and another mistake",
        (
            "version: 1\n"
            "relays:\n"
            '  a: {host: a.test, login: {username: u, password_file: "{secrets}/a"}}\n'
            "  b: {host: b.test, port: 0}\n"
        ),
        f"3:57: {NO_FILE}",
        '4:27: "0" is not a number from 1 to 65535 -- write a number from 1 to 65535',
    ),
)

CASES = (*PASSWORDS, *LOGINS)
