"""Why this score on that night: computed again to the same bytes, or what is no longer as it was is said; and who asked."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines.consent import withdrawal
from pipelines.delivery import manifest, parquet
from pipelines.delivery.publish import current
from pipelines.errors import Refused, Usage
from pipelines.explain import explain, recomputing, telling
from pipelines.explain.recomputing import IMPOSSIBLE, OTHER, SAME, SAME_BUT_NIGHT
from pipelines.installation import Installation
from pipelines.release import tracking
from pipelines.release.registry import CHAMPION, CONTENT_TAG
from pipelines.retention import retain
from pipelines.settings import load_settings
from pipelines.tokens import Tokens
from pipelines.turn import alone
from tests.pipelines.small_job import foretide, make_smallest_home

FIRST, SECOND = "2026-06-25", "2026-06-28"


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Path:
    """A home in which a model was trained and two nights were delivered."""
    home = make_smallest_home(tmp_path_factory.mktemp("lived") / "home")
    for arguments in (("run", "--as-of", FIRST), ("score", "--as-of", SECOND)):
        code, _, errors = foretide(home, *arguments)
        assert code == 0, errors
    return home


@pytest.fixture
def home(lived, tmp_path) -> Path:
    """A copy of it to change."""
    shutil.copytree(lived, tmp_path / "home")
    return tmp_path / "home"


def opened(home: Path, **overrides: object) -> Installation:
    """The installation in a folder."""
    return Installation(load_settings(home / "foretide.yaml", dict(overrides)))


def rows(home: Path, night: str) -> pd.DataFrame:
    """The rows in force for a night."""
    folder = current(home / ".state" / "deliveries", pd.Timestamp(night))
    assert folder is not None
    return parquet.read(folder / parquet.NAME)


def one(home: Path, night: str, **having: object) -> pd.Series:
    """The first row of a night that has these values."""
    found = rows(home, night)
    return found[(found[list(having)] == pd.Series(having)).all(axis=1)].iloc[0]


def accesses(home: Path) -> list[dict[str, object]]:
    """What the audit log has of questions, and that its chain is whole."""
    log = opened(home).audit_log
    assert log.verify() == []
    return [entry for entry in log.entries() if entry["kind"] == "access"]


@pytest.mark.parametrize("night", [FIRST, SECOND])
def test_every_kind_of_row_is_computed_again_to_the_same_bytes(home, night):
    """A row of each status and tier, of the newest night and of one before the stored panel, comes out to the byte."""
    chosen = rows(home, night).drop_duplicates(["status", "tier"])
    assert len(chosen) >= 4
    for row in chosen.to_dict("records"):
        account = explain(opened(home), row["score_id"], "auditor")
        assert account is not None
        assert (account.recomputed.verdict, account.recomputed.remarks) == (SAME, ())
        assert account.recorded is not None
        assert account.promotion is not None
        # Whoever may not be scored has no probability, and nothing that could stand for one.
        assert bool(account.recomputed.parts) == (row["status"] == "scored")


def test_the_model_is_that_of_the_manifest_and_not_the_champion_of_today(home):
    """Another version serves by now: the score is computed by the one that made it."""
    row, registry = one(home, FIRST, tier="baseline"), opened(home).registry
    former = registry.champion("foretide-crisis").model
    client = tracking.open_store(registry.tracking_uri, registry.artifact_root)[0]
    made = client.create_model_version(
        former.name, client.get_model_version(former.name, former.version).source, former.run_id, tags=dict(former.tags)
    )
    client.set_registered_model_alias(former.name, CHAMPION, made.version)
    account = explain(opened(home), row["score_id"], "auditor")
    assert account is not None
    assert account.recomputed.verdict == SAME
    assert account.recomputed.model is not None
    assert (account.recomputed.model.version, str(made.version)) == (former.version, "2")


@pytest.mark.parametrize(("harm", "said"), [("deleted", "was deleted"), ("altered", "altered or swapped")])
def test_a_model_that_is_gone_or_not_itself_is_said_and_nothing_is_computed(home, harm, said):
    """What was delivered is still told; by another file nothing is computed."""
    row, registry = one(home, FIRST, tier="baseline"), opened(home).registry
    model = registry.champion("foretide-crisis").model
    client = tracking.open_store(registry.tracking_uri, registry.artifact_root)[0]
    if harm == "deleted":
        client.delete_model_version(model.name, model.version)
    else:
        client.set_model_version_tag(model.name, model.version, CONTENT_TAG, "0" * 64)
    account = explain(opened(home), row["score_id"], "auditor")
    assert account is not None
    assert account.recomputed.verdict == IMPOSSIBLE
    assert said in account.recomputed.remarks[0]
    assert account.delivered.row["probability"] == row["probability"]


def test_other_code_and_another_policy_are_said(home, monkeypatch):
    """Under other code the numbers are compared all the same; under another policy only what it does not decide."""
    row = one(home, FIRST, tier="elevated", horizon_days=14)
    monkeypatch.setattr(recomputing, "code_version", lambda: "9.9.9+beef")
    account = explain(opened(home), row["score_id"], "auditor")
    assert account is not None
    assert account.recomputed.verdict == SAME
    assert ["9.9.9+beef" in remark for remark in account.recomputed.remarks] == [True]
    strict = {"high": {"alerts_per_100_per_week": 1, "floor": 0.9, "action": "call"},
              "elevated": {"alerts_per_100_per_week": 1, "floor": 0.8, "action": "write"}}  # fmt: skip
    account = explain(opened(home, alert_policy=strict), row["score_id"], "auditor")
    assert account is not None
    assert account.recomputed.verdict == SAME_BUT_NIGHT
    assert account.recomputed.differences["tier"] == ("elevated", "baseline")
    assert "probability" not in account.recomputed.differences


def test_after_a_withdrawal_the_subject_is_erased_and_others_keep_their_score(home):
    """Each score of the subject is told as erased, that of the notice too; of others only what all decide may differ."""
    gone, other = one(home, FIRST, tier="high"), one(home, FIRST, tier="baseline", horizon_days=14)
    theirs = pd.concat([rows(home, night) for night in (FIRST, SECOND)]).query("subject_id == @gone.subject_id")
    explain(opened(home), gone["score_id"], "auditor")
    token = accesses(home)[-1]["details"]["subject"]
    withdrawal.withdraw(opened(home), [gone["subject_id"]], date(2026, 7, 5))
    assert len(theirs) >= 2
    assert [explain(opened(home), score_id, "auditor") for score_id in theirs["score_id"]] == [None] * len(theirs)
    assert Tokens(home / ".state" / "releases").of([gone["subject_id"]])[gone["subject_id"]] != token
    for row in (other, one(home, SECOND, subject_id=other["subject_id"])):
        account = explain(opened(home), row["score_id"], "auditor")
        assert account is not None
        assert account.recomputed.verdict in (SAME, SAME_BUT_NIGHT)
        assert account.recomputed.remarks[0].startswith("1 of the ")
    kept = (home / ".withdrawn" / "erased-scores").read_text()
    assert not any(score_id in kept for score_id in theirs["score_id"])


def test_after_retention_it_is_said_and_the_score_is_still_the_same(home):
    """Minutes within the look-back are gone, the hours in their place give the same bytes."""
    retain(opened(home), date(2026, 6, 24))
    account = explain(opened(home), one(home, FIRST, tier="baseline")["score_id"], "auditor")
    assert account is not None
    assert (account.recomputed.verdict, account.recomputed.is_retained) == (SAME, False)
    assert any("no longer retained" in remark for remark in account.recomputed.remarks)


def test_inputs_that_are_not_what_they_were_are_found(home):
    """Somebody turns a subject's answers round in the lake's files, where the stored days do not show it: the score comes out
    differently, which is not hidden."""
    row = one(home, FIRST, tier="baseline")
    for path in (home / ".state" / "lake" / "raw" / "mood").rglob("*.parquet"):
        answers = pq.ParquetFile(path).read()
        is_theirs = pc.equal(answers["subject_id"].cast(pa.string()), row["subject_id"])
        turned = pc.subtract(pc.add(answers["scale_min"], answers["scale_max"]), answers["value"])
        column = answers.column_names.index("value")
        pq.write_table(answers.set_column(column, "value", pc.if_else(is_theirs, turned, answers["value"])), path)
    account = explain(opened(home), row["score_id"], "auditor")
    assert account is not None
    assert account.recomputed.verdict == OTHER
    assert "probability" in account.recomputed.differences
    assert any("NOT the same" in said for said in telling.sentences(account))


def test_every_question_is_on_record_with_a_token_and_never_an_id(home):
    """Answered, unknown or about a damaged delivery: who asked is in the log; no subject_id, and no score_id that is made of one."""
    row = one(home, FIRST, tier="baseline")
    explain(opened(home), row["score_id"], "Dr. Ada")
    explain(opened(home), row["score_id"].upper(), "Dr. Bob")
    with pytest.raises(Refused, match="No delivery here has that score"):
        explain(opened(home), "0" * 24, "Dr. Ada")
    with pytest.raises(Usage, match="no score_id"):
        explain(opened(home), row["subject_id"], "Dr. Ada")
    folder = current(home / ".state" / "deliveries", pd.Timestamp(FIRST))
    assert folder is not None
    damaged = bytearray((folder / "scores.csv").read_bytes())
    damaged[200] ^= 1
    (folder / "scores.csv").write_bytes(damaged)
    with pytest.raises(Refused, match="damaged"):
        explain(opened(home), row["score_id"], "Dr. Ada")
    told = accesses(home)
    assert [(entry["by"], entry["details"]["found"]) for entry in told] == [
        ("Dr. Ada", "delivered"), ("Dr. Bob", "delivered"), ("Dr. Ada", "unknown"), ("Dr. Ada", "damaged")
    ]  # fmt: skip
    assert told[0]["details"] == told[1]["details"]
    assert (home / ".state" / "audit" / "log.jsonl").read_text().count(row["subject_id"]) == 0
    assert row["score_id"] not in (home / ".state" / "audit" / "log.jsonl").read_text()


def test_the_command_tells_this_score_and_nobody_elses(home):
    """The answer for machines has the delivered fields, the verdict and every part; no subject_id, not even the subject's own."""
    row = one(home, FIRST, tier="baseline", horizon_days=14)
    code, answer, errors = foretide(home, "explain", row["score_id"], "--by", "Dr. Ada")
    assert code == 0, errors
    assert (answer["state"], answer["score"]["probability"]) == (SAME, row["probability"])
    assert answer["rows"][0].keys() == {"feature", "value", "usual", "contribution", "words", "is_said"}
    assert answer["inputs"]
    subjects = set(rows(home, FIRST)["subject_id"])
    assert not subjects & set(json.dumps(answer).replace('"', " ").split())
    code, answer, _ = foretide(home, "explain", "f" * 24)
    assert (code, answer["ok"]) == (1, False)


def test_what_was_done_is_in_the_log_with_what_it_was_made_of(lived):
    """After a training and two nights every kind is there, with hashes by which model files and manifests can be told."""
    log, registry = opened(lived).audit_log, opened(lived).registry
    kinds = {entry["kind"]: entry["details"] for entry in log.entries()}
    assert {"ingest", "look", "training", "promotion", "delivery"} <= kinds.keys()
    assert kinds["training"]["sha256"] == registry.champion("foretide-crisis").model.content_sha256
    folder = current(lived / ".state" / "deliveries", pd.Timestamp(SECOND))
    assert folder is not None
    body = manifest.read(folder)
    told = kinds["delivery"]
    assert (told["sha256"], told["inputs"], told["code"]) == (
        body[manifest.SEAL],
        body["input_content"],
        body["code_version"],
    )


def test_a_question_waits_while_another_command_is_at_work(home):
    """It says for whom, on standard error, and is answered once the other is gone; one that is mistyped waits for nobody."""
    score_id = one(home, FIRST, status="scored")["score_id"]
    command = [Path(sys.executable).with_name("foretide"), "explain", "--json"]
    with alone(Installation(load_settings(home / "foretide.yaml"), now=datetime.now(UTC))):
        assert foretide(home, "explain", "zebra")[0] == 2
        asked = subprocess.Popen(
            [*command, score_id], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert asked.stderr is not None
        assert "waiting for it" in asked.stderr.readline()
    answer, said = asked.communicate()
    assert (asked.returncode, json.loads(answer)["state"]) == (0, SAME), said
