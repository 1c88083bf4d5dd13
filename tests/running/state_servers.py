"""A server that says what it is told at one step of SMTP, and does right at all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.modes import LOST

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from testbed.listener import Client

STARTTLS, DATA, END = "STARTTLS", "DATA", "end of DATA"
ANSWERS = {
    "greeting": "220 relay.test ESMTP",
    "EHLO": "250-relay.test\n250-STARTTLS\n250 SIZE 10000",
    "HELO": "250 relay.test",
    STARTTLS: "220 2.0.0 go ahead",
    "EHLO in TLS": "250-relay.test\n250-AUTH PLAIN LOGIN\n250 SIZE 10000",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 OK",
    "RCPT": "250 2.1.5 OK",
    DATA: "354 go ahead",
    END: "250 2.0.0 taken",
}
"""What is said at each step, as a relay on port 587 does. After 421 the connection is closed (RFC 5321, section 3.8)."""


def serve(answers: Mapping[str, str], context: ssl.SSLContext) -> Callable[[Client], None]:
    """Return what a `Listener` does with each connection."""
    said = {**ANSWERS, **answers}
    return lambda client: _Conversation(client, said, context).run()


class _Conversation:
    def __init__(self, client: Client, said: Mapping[str, str], context: ssl.SSLContext) -> None:
        self.client = client
        self.said = said
        self.context = context
        self.is_inside = False

    def run(self) -> None:
        """Speak until one of the two ends it."""
        going = self.answer("greeting")
        while going and (line := self.client.hear()):
            verb = line.split(" ", 1)[0].upper()
            going = verb != "QUIT" and self.follow("EHLO in TLS" if verb == "EHLO" and self.is_inside else verb)

    def follow(self, step: str) -> bool:
        """Answer a command; return False where that ends the connection."""
        if step not in self.said:
            self.client.say("250 2.0.0 OK\r\n")
            return True
        going = self.answer(step)
        if going and step == STARTTLS and self.said[step].startswith("2"):
            self.client.start_tls(self.context)
            self.is_inside = True
        elif going and step == DATA and self.said[step].startswith("3"):
            return self.take_message()
        return going

    def take_message(self) -> bool:
        """Read the message, and answer."""
        while (
            self.client.hear() != "."
        ):  # smtp(8) sends every line; a client that leaves ends the thread by its time limit
            pass
        return self.answer(END)

    def answer(self, step: str) -> bool:
        """Say what is to be said."""
        text = self.said[step]
        if text != LOST:
            self.client.say(text.replace("\n", "\r\n") + "\r\n")
        return text != LOST and not text.startswith("421")
