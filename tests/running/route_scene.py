"""A Postfix with its servers, random inputs and random settings of an operator: for tests of where messages go."""

import io
import json
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dms_relay.cli import main
from testbed import PATIENCE, SMTPS, STRANGER, Inputs, Postfix, Received, Relay, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from testbed.layout import write_old
from tests.running.leaks import SERVERS, Config, write_cf, write_yaml
from tests.running.operators import DOWN, Operator, services

OFF = "off"
"""No inputs at all: what the operator set is all that there is."""
ROUTINGS = ("maps", "transports", "yaml", OFF)
"""Parts of the tests, which can run side by side."""
STRANGERS = ("x.test", "y.test", "sub.x.test")


@dataclass
class Scene:
    """A Postfix with its servers, and the configuration that it begins with each time."""

    testbed: Testbed
    postfix: Postfix
    relays: dict[str, Relay]
    inputs: Inputs
    files: dict[str, str]
    """Postfix's own, by name, as they are before anybody sets anything."""

    def begin(self, config: Config, operator: Operator, routing: str) -> None:
        """Have a machine that never saw us, with the operator's settings and the inputs."""
        directory = self.postfix.config
        shutil.rmtree(directory / "relay.d", ignore_errors=True)
        for name in ("relayhost_map", "sasl_passwd", "dms-relay.state.json"):
            (directory / name).unlink(missing_ok=True)
        write_old(directory / "master.cf", self.files["master.cf"])
        operator.write(directory, self.files["main.cf"], self.relays)
        if routing == OFF:
            self.inputs.settings = {}
            for name in ("relay.yaml", RELAYMAP, LOGINS):
                self.inputs.write(name, None)
        elif routing == "yaml":
            write_yaml(config, self.inputs, self.relays)
        else:
            write_cf(config, self.inputs, self.relays, routing)

    def main(self, *command: str) -> tuple[int, str]:
        """Run `dms-relay`, and give its exit code and what it prints."""
        directories = ["--config-dir", str(self.inputs.directory), "--postfix-dir", str(self.postfix.config)]
        with redirect_stdout(io.StringIO()) as printed:
            code = main(["--log-level", "error", *directories, *command], self.inputs.settings)
        return code, printed.getvalue()

    def explain(self, sender: str, recipient: str) -> dict[str, Any]:
        """Return what `explain` says of a message."""
        code, printed = self.main("explain", "--json", sender, recipient)
        document: dict[str, Any] = json.loads(printed)
        assert code == bool(document["now"]["failure"])
        return document

    def apply(self) -> None:
        """Make Postfix have the inputs, with no process of before left."""
        assert self.main("apply", "--no-reload")[0] == 0
        self.postfix.renew()

    def deliver(self, sender: str, recipient: str) -> Received:
        """Send a message, and give what arrived."""
        self.testbed.ledger.clear()
        self.postfix.send(sender, [recipient], "0")
        [received] = self.testbed.ledger.wait_for(1, PATIENCE)
        self.postfix.wait_until_queue_empty(PATIENCE)
        return received

    def server(self, hop: dict[str, Any], way: dict[str, Any]) -> Relay | None:
        """Return the server at a nexthop; `None` where nobody listens."""
        at = (hop["host"].casefold(), hop["port"])
        found = [r for r in self.relays.values() if at in {(r.host, str(r.port)), (r.name, str(r.port))}]
        assert len(found) == (hop["host"] != DOWN), way
        return found[0] if found else None


def scene_of(testbed: Testbed, directory: Path) -> Scene:
    """Start the servers, and a Postfix that knows them."""
    relays = {name: testbed.relay(name, STRANGER) for name in SERVERS}
    first, *others = STRANGERS
    relays[first] = testbed.world(first, STRANGER)
    relays |= {name: testbed.relay(name, STRANGER, relays[first].port) for name in others}
    relays["i"] = testbed.relay("i", SMTPS)
    postfix = testbed.postfix()
    files = {name: (postfix.config / name).read_text() for name in ("main.cf", "master.cf")}
    files["master.cf"] += services(relays)
    return Scene(testbed, postfix, relays, Inputs(directory / "config"), files)
