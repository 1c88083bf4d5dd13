"""The cost of libraries that could request tokens: installed size, imports, memory. Prints the table of a page of docs/.

Creates a virtual environment for each candidate, with pip, in a temporary directory: run it by hand, with
``python -m bench.oauth2_libraries``. CPU time is the median of alternating starts, less that of a start without imports;
memory is the peak of such a start (getrusage(2)), less the same.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

#: Starts of each candidate.
_STARTS = 15
_MIB = 1024 * 1024
#: Packages that the run time has in any case: they count for no candidate.
_PRESENT = ("cryptography", "cffi", "pycparser", "idna", "pip", "setuptools")
#: The packages to install, and the modules that a renewal would import.
_CANDIDATES = {
    "authlib + httpx": (("authlib", "httpx"), "authlib.integrations.httpx_client, authlib.oauth2.rfc7523"),
    "authlib + requests": (("authlib", "requests"), "authlib.integrations.requests_client, authlib.oauth2.rfc7523"),
    "google-auth + requests": (
        ("google-auth", "requests"),
        "google.oauth2.service_account, google.oauth2.credentials, google.auth.transport.requests",
    ),
    "msal": (("msal",), "msal"),
    "requests-oauthlib + PyJWT": (("requests-oauthlib", "pyjwt"), "requests_oauthlib, jwt"),
    "oauthlib + PyJWT + urllib3": (("oauthlib", "pyjwt", "urllib3"), "oauthlib.oauth2, jwt, urllib3"),
    "PyJWT + urllib3": (("pyjwt", "urllib3"), "jwt, urllib3"),
    "PyJWT + http.client": (("pyjwt",), "jwt, http.client, ssl"),
}


def main() -> None:
    """Install, measure, print."""
    with tempfile.TemporaryDirectory() as directory:
        places = {
            name: _installed(Path(directory) / str(at), _CANDIDATES[name][0]) for at, name in enumerate(_CANDIDATES)
        }
        costs: dict[str, list[tuple[float, float]]] = {name: [] for name in _CANDIDATES}
        for _ in range(_STARTS):
            for name, (_, imports) in _CANDIDATES.items():
                costs[name].append(_cost(places[name], imports))
        print(
            "| | more packages | MiB installed | CPU of the imports, ms | memory, MiB |\n| --- | --- | --- | --- | --- |"
        )
        for name, place in places.items():
            print(_row(name, place, costs[name]))


def _installed(place: Path, packages: tuple[str, ...]) -> Path:
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    pip = [
        str(place / "bin/pip"),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "cryptography",
        "idna",
        *packages,
    ]
    subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    return place


def _cost(place: Path, imports: str) -> tuple[float, float]:
    """Return the cost of imports: CPU time in milliseconds, and memory in MiB."""
    # Loaded before each measurement: the parts of cryptography that all candidates use.
    loaded = "import cryptography.hazmat.primitives.serialization, cryptography.x509"
    before, after = _start(place, loaded), _start(place, f"{loaded}, {imports}")
    return after[0] - before[0], after[1] - before[1]


def _start(place: Path, code: str) -> tuple[float, float]:
    python = str(place / "bin/python")
    pid = os.posix_spawn(python, [python, "-W", "ignore", "-c", code], os.environ)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise RuntimeError(code)
    return (used.ru_utime + used.ru_stime) * 1000, used.ru_maxrss * 1024 / _MIB


def _row(name: str, place: Path, costs: list[tuple[float, float]]) -> str:
    found = metadata.distributions(path=[str(next(place.glob("lib/*/site-packages")))])
    more = {package.name: _size(package) for package in found if package.name.lower() not in _PRESENT}
    cpu, memory = (statistics.median(values) for values in zip(*costs, strict=True))
    names = ", ".join(sorted(more, key=str.lower))
    return f"| {name} | {len(more)}: {names} | {sum(more.values()) / _MIB:.1f} | {cpu:.0f} | {memory:.1f} |"


def _size(package: metadata.Distribution) -> int:
    """Return the size of a package in octets, including compiled modules."""
    paths = [Path(str(package.locate_file(file))) for file in package.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())


if __name__ == "__main__":
    main()
