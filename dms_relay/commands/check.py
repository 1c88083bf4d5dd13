"""``dms-relay check``: what is wrong with the inputs and with Postfix, and how to fix it. Writes nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dms_relay.checks import check
from dms_relay.checks.rules import ERROR, SEVERITIES, WARNING

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from dms_relay.checks import Report
    from dms_relay.checks.rules import Finding
    from dms_relay.commands import Context
    from dms_relay.model import Paths

#: The exit code for findings that count.
EXIT_FOUND = 1


def run(arguments: Namespace, context: Context) -> int:
    """Print the findings; the exit code shows if any of them counts."""
    report = check(context.paths, context.environ)
    if arguments.json:
        context.say_json(_document(report, context.paths))
    else:
        context.say(*_text(report, context.paths))
    return _code(report, is_strict=arguments.strict)


def _code(report: Report, *, is_strict: bool) -> int:
    if report.error:
        return report.error.exit_code
    counting = report.count(ERROR) + (report.count(WARNING) if is_strict else 0)
    return EXIT_FOUND if counting else os.EX_OK


def _text(report: Report, paths: Paths) -> Iterator[str]:
    """Yield two lines for each finding, and a summary."""
    for finding in report.findings:
        yield from lines_of(finding)
    counts = [_count(report.count(severity), severity) for severity in SEVERITIES if report.count(severity)]
    yield f"{', '.join(counts) or 'nothing found'} ({_seen(report, paths)})"


def lines_of(finding: Finding) -> Iterator[str]:
    """Yield severity, rule and origin of a finding, and below them what is wrong and what to do."""
    yield f"{finding.severity:7}  {finding.rule}  {finding.origin}"
    yield f"         {finding.text} -- {finding.remedy}"


def _seen(report: Report, paths: Paths) -> str:
    machine = f"Postfix {report.version} in {paths.postfix_dir}" if report.version else "not Postfix itself"
    return f"looked at {paths.config_dir}, {machine}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _document(report: Report, paths: Paths) -> dict[str, Any]:
    return {
        "findings": list(map(_finding, report.findings)),
        "counts": {f"{severity}s": report.count(severity) for severity in SEVERITIES},
        "inputs": {"directory": str(paths.config_dir), "usable": report.error is None},
        "machine": {
            "directory": str(paths.postfix_dir),
            "looked_at": bool(report.version),
            "postfix": report.version or None,
        },
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "id": finding.rule,
        "severity": finding.severity,
        "origin": str(finding.origin),
        "text": finding.text,
        "remedy": finding.remedy,
    }
