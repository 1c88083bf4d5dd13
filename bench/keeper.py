"""The cost of the keeper while nothing changes: ``python -m bench.keeper``. Memory, and CPU time per hour.

It looks ten times a second here, so that the cost of one look stands out; in use it looks every 2 s. Compared with an
interpreter that does nothing, and with one run of ``apply``. It has files of several kinds, and an OAuth2 login, so that
it looks at the queue too.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dms_relay import tokens
from dms_relay.keeper_arguments import WATCH_INTERVAL
from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, OAuth2
from dms_relay.tokens import in_force
from dms_relay.tokens.credentials import digests
from dms_relay.watch.first_look import APPLIED_AT

#: Seconds between two looks, and seconds of the measurement.
INTERVAL, SECONDS = 0.1, 20.0
#: Runs of ``apply`` for the median.
RUNS = 5
HOUR = 3600.0
#: Seconds until all that is due at its start is done.
PATIENCE = 60.0
OAUTH2 = OAuth2(CLIENT_CREDENTIALS, "https://id.test/token")
USAGE = Path(__file__).with_name("usage.py")
INPUTS = {
    "postfix-relaymap.cf": "@a.test [a.relay]:587\n",
    "postfix-sasl-password.cf": "@a.test user:password\n",
    "relay.env": "RELAY_USER=user\nRELAY_PASSWORD=password\n",
    "postfix-accounts.cf": "a@m.test|{PLAIN}x\n",
}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        command, environ = _prepared(root)
        subprocess.run([*command, "apply"], env=environ, check=True, capture_output=True)
        applied = statistics.median(_apply(command, environ) for _ in range(RUNS))
        # The inputs have no OAuth2, so they must not be applied again.
        environ[APPLIED_AT] = str(time.time())
        _store_token(root / "state")
        looked, mib = _keeper([*command, "watch", "--interval", str(INTERVAL)], environ, root / "state")
    bare = _memory_of_nothing()
    hour = looked * HOUR / WATCH_INTERVAL
    print(f"memory, idle         {mib:6.1f} MiB  {mib / bare:5.2f} x an interpreter that does nothing ({bare:.1f} MiB)")
    print(f"one look             {looked * 1e6:6.0f} µs   {looked / applied:7.5f} x one run of apply ({applied:.3f} s)")
    print(f"CPU time of an hour  {hour:6.2f} s    {hour / applied:5.2f} x one run of apply, {hour / HOUR:.3%} of a CPU")


def _prepared(root: Path) -> tuple[list[str], dict[str, str]]:
    """Create inputs, a Postfix that does not run, and a store of tokens; return the command and its environment."""
    config, postfix, state = (root / name for name in ("config", "postfix", "state"))
    for path in (config, postfix, state):
        path.mkdir(mode=0o755)
    for name, text in INPUTS.items():
        (config / name).write_text(text)
    (postfix / "main.cf").write_text(f"compatibility_level = 3.6\nqueue_directory = {root}/queue\n")
    (postfix / "master.cf").write_text("smtp unix - - n - - smtp\n")
    for name in "0123456789ABCDEF":
        (root / "queue/defer" / name).mkdir(parents=True)
    environ = {"PATH": os.environ["PATH"], "DMS_RELAY_STATE_DIR": str(state), "RELAY_HOST": "relay.test"}
    program = [sys.executable, "-m", "dms_relay", "--config-dir", str(config), "--postfix-dir", str(postfix)]
    return program, environ


def _store_token(state: Path) -> None:
    """Put an OAuth2 login in force, with a token that is valid for an hour."""
    login = in_force.InForce("a" * 32, "m365", "user", OAUTH2)
    in_force.save(state, [login])
    tokens.save(
        state,
        login.id,
        tokens.Kept(access_token="t", issued_at=time.time(), expires_at=time.time() + HOUR, tried=digests(OAUTH2)),
    )


def _apply(command: list[str], environ: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-IS", str(USAGE), *command, "apply"], env=environ, check=True, stdout=subprocess.PIPE
    )
    return float(json.loads(done.stdout)["cpu"])


def _keeper(command: list[str], environ: dict[str, str], state: Path) -> tuple[float, float]:
    """Return the CPU seconds of one look, and the MiB in memory."""
    keeper = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _is_idle(state):
            if time.monotonic() > deadline:
                raise TimeoutError("the keeper does not come to rest")
            time.sleep(INTERVAL)
        before = _cpu(keeper.pid)
        time.sleep(SECONDS)
        return (_cpu(keeper.pid) - before) * INTERVAL / SECONDS, _memory(keeper.pid)
    finally:
        keeper.terminate()
        keeper.wait()


def _is_idle(state: Path) -> bool:
    try:
        record = json.loads((state / "keeper.json").read_text())
    except FileNotFoundError:
        return False
    return not record["children"] and bool(record["apply"].get("looks")) and bool(record["queue"]["at"])


def _cpu(pid: int) -> float:
    """Return the CPU time of a process in seconds (proc(5), schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _memory(pid: int) -> float:
    """Return a process's memory in MiB, including what it shares with others."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def _memory_of_nothing() -> float:
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        return _memory(process.pid)


if __name__ == "__main__":
    main()
