"""``dms-relay schema``: the JSON Schema of ``relay.yaml``, for editors; built from the shape that the reader checks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dms_relay.model import RELAY_YAML
from dms_relay.shape.schema import json_schema
from dms_relay.sources.relay_yaml.keys import RELAY_FILE

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context


def run(_arguments: Namespace, context: Context) -> int:
    """Print the schema."""
    context.say_json(json_schema(RELAY_FILE, f"{RELAY_YAML} of dms-relay"))
    return os.EX_OK
