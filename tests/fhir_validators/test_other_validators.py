"""Deliveries held against two FHIR R4 validators that are not ours: HL7's own JSON schema, and FHIR.js.

Needs Node.js and `make fhir`; skipped where they are not installed. Both know R4 (4.0.1), where fhir.resources knows R4B.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipelines.sink_nights import publish_night
from tests.pipelines.test_fhir_rules import every_status

HERE = Path(__file__).parent
NIGHT = "2026-06-30"


def objections(*folders: Path) -> dict[str, list[str]]:
    """What each validator says of the deliveries, by its name."""
    if shutil.which("node") is None or not (HERE / "node_modules").is_dir():
        pytest.skip("The validators are not installed. Run `make fhir`.")
    done = subprocess.run(
        ["node", HERE / "validate.js", *folders], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode in (0, 1), done.stderr
    said: dict[str, list[str]] = {"HL7 JSON schema": [], "FHIR.js": []}
    who = ""
    for line in done.stdout.splitlines():
        if line.startswith("  "):
            said[who].append(line.strip())
        else:
            who = line.split(":")[0]
            assert not re.search(r"\b0 resources", line)
    return said


def test_deliveries_with_every_status_are_accepted(tmp_path):
    """Every status, a notice of withdrawal with its deletions, an erased delivery: neither has anything to object to."""
    assert objections(*every_status(tmp_path)) == {"HL7 JSON schema": [], "FHIR.js": []}


BROKEN = {
    "an unknown status": lambda made: made.update(status="finished"),
    "no subject": lambda made: made.pop("subject"),
    "a probability in words": lambda made: made["prediction"][0].update(probabilityDecimal="high"),
    "an element R4 does not know": lambda made: made.update(riskScore=3),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_validators_do_object(tmp_path, case):
    """What no R4 resource may be is found by one of them at least: that they are silent otherwise means something."""
    folder = publish_night(tmp_path, NIGHT)
    path = folder / "risk_assessments.ndjson"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    BROKEN[case](lines[2])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert any(objections(folder).values())
