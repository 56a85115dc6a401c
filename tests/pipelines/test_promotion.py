"""`promote`, `rollback`, `promotions`: what serves has passed the gate or has somebody who answers for it."""

import errno
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dagster import AssetCheckKey, AssetCheckSeverity, AssetKey, DagsterInstance, DagsterRunStatus
from deltalake.exceptions import DeltaError
from typer.testing import CliRunner

from models import risk
from models.baselines import MODEL, Predictor
from models.contest import Standing
from models.gate import Shadowed
from models.growth import Growth
from pipelines import by_night, engineering, night, scoring
from pipelines.cli.main import app
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.release import contest, judgement, ledger, promotion, reporting, shadow
from pipelines.release.ledger import PROMOTION, ROLLBACK
from pipelines.release.registry import CHALLENGER, CHAMPION, ModelVersion
from pipelines.release.stored import content_hash
from pipelines.settings import load_settings
from pipelines.training import fitting, looks
from pipelines.training.candidates import candidates
from pipelines.training.provenance import basis
from tests.pipelines.small_job import NIGHT, foretide, make_smallest_home

NAME = "foretide-crisis"
REASON = "The site's board accepts it until autumn"
# No slope of any model lies there.
STRICT = {
    "FORETIDE_RELEASE_POLICY__CALIBRATION_SLOPE_LOW": "50",
    "FORETIDE_RELEASE_POLICY__CALIBRATION_SLOPE_HIGH": "60",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A small home that was trained once; version 1 serves."""
    folder = make_smallest_home(tmp_path_factory.mktemp("promoted"))
    code, answer, said = foretide(folder, "train", "--as-of", NIGHT)
    assert code == 0, (answer, said)
    return folder


@pytest.fixture
def made(home: Path, monkeypatch) -> Iterator[Installation]:
    """The installation with version 1 as champion and a twin of it as challenger; its alias and log as they were."""
    monkeypatch.chdir(home)
    installation = Installation(load_settings(home / "foretide.yaml"))
    first = installation.registry.find(NAME, CHAMPION)
    assert first is not None
    files = {path: path.read_bytes() for path in (home / ".state").glob("audit*/*") if path.is_file()}
    files |= {path: path.read_bytes() for path in (home / ".state").glob("audit.*")}
    decided = installation.lake.load(judgement.TABLE)
    yield installation
    for path, content in files.items():
        path.write_bytes(content)
    installation.lake.replace(judgement.TABLE, decided)
    for alias in (CHAMPION, CHALLENGER):
        installation.registry.set_alias(first, alias)


def challenger(installation: Installation, mark: str, model: Path | None = None, **tags: str) -> ModelVersion:
    """A further version as if a training had made it: the files and results of version 1 unless told otherwise."""
    first = installation.registry.version(NAME, "1")
    assert first is not None
    folder = model or installation.registry.fetch(first)
    loaded = risk.load(folder)
    example = pd.DataFrame([dict.fromkeys(loaded.features, 1.0)])
    rows = installation.lake.load("results")
    version = installation.registry.log_training(
        NAME, mark, {}, {**{k: v for k, v in first.tags.items() if k != "content_sha256"}, "mark": mark, **tags}, rows, {}, {},
        folder, loaded.features, loaded.horizons_days, example,
    )  # fmt: skip
    installation.registry.set_alias(version, CHALLENGER)
    return version


def champion(installation: Installation) -> str:
    """Which version serves."""
    found = installation.registry.find(NAME, CHAMPION)
    assert found is not None
    return found.version


def command(*arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of a command, given in this process."""
    done = CliRunner().invoke(app, [*arguments, "--json"], env=environment)
    return done.exit_code, json.loads(done.stdout.strip().splitlines()[-1])


def test_the_training_promoted_within_the_policy_and_recorded_it(made):
    """The ledger has the promotion with the sha256 of the report that it was decided on, a copy of which is kept."""
    (entry,) = ledger.entries(made.audit_log, NAME)
    assert (entry.before, entry.after, entry.by, entry.override) == (None, champion(made), promotion.JOB, "")
    kept = made.settings.state_folder / promotion.KEPT / f"{NAME}-{entry.after}.html"
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == entry.report
    assert any("calibration slope" in reason for reason in entry.reasons)


def test_the_training_is_one_look_with_one_configuration(made):
    """Seeds, folds and simple rules are none; the first champion is compared with nobody."""
    assert looks.of(made.audit_log, "crisis") == looks.Looks(1, 1)


def test_a_challenger_within_the_policy_serves_once_and_for_all(made):
    """It becomes champion, by name; asked again, nothing is recorded."""
    second = challenger(made, "twin")
    code, answer = command("promote", "--by", "A. Clinician")
    assert (code, champion(made)) == (0, second.version), answer
    assert {"name", "is_kept", "told"} == set(answer["rows"][0])
    assert command("promote")[0] == 0
    assert [(e.before, e.after, e.by) for e in ledger.entries(made.audit_log, NAME)][1:] == [
        ("1", second.version, "A. Clinician")
    ]


def test_outside_the_policy_nothing_serves_without_somebody_who_answers_for_it(made):
    """Refused with the reasons, exit code 1; an override without name or reason is wrong usage, 2; nothing changes."""
    challenger(made, "strict")
    before = made.audit_log.entries()
    code, answer = command("promote", **STRICT)
    assert code == 1
    assert "lies outside 50 to 60" in answer["error"]
    for given in (["--override"], ["--override", "--by", "A. Clinician"], ["--override", "--reason", REASON],
                  ["--override", "--by", " ", "--reason", REASON], ["--override", "--by", "A.", "--reason", "short"],
                  ["--reason", REASON], ["--outcome", "relapse"]):  # fmt: skip
        assert command("promote", *given, **STRICT)[0] == 2, given
    assert (champion(made), made.audit_log.entries()) == ("1", before)


def test_an_override_serves_is_recorded_and_seen_wherever_the_model_is(made):
    """The ledger, the answer, the model and fairness reports and the version that a delivery names all say so."""
    second = challenger(made, "override")
    code, answer = command("promote", "--override", "--by", "A. Clinician", "--reason", REASON, **STRICT)
    assert (code, champion(made)) == (0, second.version), answer
    entry = ledger.entries(made.audit_log, NAME)[-1]
    assert (entry.by, entry.override) == ("A. Clinician", REASON)
    assert REASON in answer["overrides"][0]
    pages = list(made.settings.reports_folder.glob("model-*.html")) + list(
        made.settings.reports_folder.glob("fairness-*.html")
    )
    assert len(pages) == 2
    for page in pages:
        assert "on the word of A. Clinician" in page.read_text(encoding="utf-8"), page.name
    assert "released by override" in scoring.basis(made, NIGHT).context.model_versions["crisis"]
    assert REASON in str(command("promotions")[1]["rows"][-1])
    assert command("rollback", "--by", "A. Clinician", "--reason", REASON)[0] == 0
    for page in pages:
        assert "outside the release policy" not in page.read_text(encoding="utf-8"), page.name


def test_an_override_that_is_not_needed_is_not_used(made):
    """Where the policy lets it serve, nothing is said to be outside of it."""
    challenger(made, "needless")
    assert command("promote", "--override", "--by", "A. Clinician", "--reason", REASON)[0] == 0
    assert ledger.entries(made.audit_log, NAME)[-1].override == ""


def test_a_failed_control_cannot_be_overridden(made):
    """Its figures may be a leak's: nobody can answer for them."""
    challenger(made, "leaking")
    stored = made.lake.load("controls")
    failed = stored["control"].iloc[0]
    made.lake.replace("controls", stored.assign(is_passed=stored["control"] != failed))
    try:
        code, answer = command("promote", "--override", "--by", "A. Clinician", "--reason", REASON)
    finally:
        made.lake.replace("controls", stored)
    assert (code, champion(made)) == (1, "1")
    assert failed in answer["error"]


def stored(installation: Installation, table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Store other rows under the name and version of a table; what was there."""
    before = installation.lake.load(table)
    installation.lake.replace(table, rows, version=installation.lake.derived_version(table))
    return before


def test_a_control_that_was_not_run_is_no_pass(made):
    """Neither for the gate, which nobody can override then, nor for a registration."""
    challenger(made, "unchecked")
    before = stored(made, "controls", made.lake.load("controls").query("control != 'features_recomputed'"))
    try:
        code, answer = command("promote", "--override", "--by", "A. Clinician", "--reason", REASON)
        made.lake.replace("controls", made.lake.load("controls"), version=basis(made, NIGHT))
        with pytest.raises(Refused, match="Controls were not run: features_recomputed"):
            fitting.register(made, NIGHT, {})
    finally:
        stored(made, "controls", before)
    assert (code, champion(made)) == (1, "1")
    assert "features_recomputed (not run)" in answer["error"]


def test_what_could_not_be_compared_is_told(made, monkeypatch):
    """An attribute that is recorded for nobody leaves no verdict, and the gate says so instead of calling all fair."""
    cohort_of = engineering.cohort

    def without_sex(*given):
        known = cohort_of(*given)
        return replace(known, subjects=known.subjects.assign(sex="", site="north"))

    before = stored(made, "verdicts", made.lake.load("verdicts").query("attribute not in ['sex', 'site']"))
    monkeypatch.setattr(engineering, "cohort", without_sex)
    try:
        judgement.judge(made, NIGHT)
    finally:
        stored(made, "verdicts", before)
    (told,) = (rule.told for rule in judgement.decision_of(made, "crisis").rules if rule.name == "fairness")
    assert "without an answer for too little data; `sex` is recorded for nobody; `site` has one group only" in told


def test_a_model_tuned_on_its_own_people_is_held_back_until_somebody_answers_for_it(made, monkeypatch):
    """The gate, the page and the card say why, also where the default is declared again after that training."""
    second = challenger(made, "tuned")
    served = made.lake.load("served")
    searched = Growth(rounds=77)
    assert made.settings.training.model.growth() != searched
    stored(made, "served", served.assign(served=MODEL, growth=json.dumps(vars(searched))))
    monkeypatch.setattr(judgement, "is_of_a_search", lambda _, name, growth: growth == searched)
    try:
        code, answer = command("promote")
        page = reporting.model_page(made.settings, "crisis")
        texts = [page.read_text(encoding="utf-8"), page.with_suffix(".card.md").read_text(encoding="utf-8")]
        told = command("promote", "--override", "--by", "A. Clinician", "--reason", REASON)
    finally:
        stored(made, "served", served)
    assert code == 1
    assert "a search on these very people was made" in answer["error"]
    assert all("whom that choice never saw" in text for text in texts)
    assert (told[0], champion(made)) == (0, second.version)


def test_results_of_another_training_say_nothing_of_a_challenger(made):
    """After a training that was cut off the challenger of before is not judged by the new results."""
    challenger(made, "stale", results_sha256="0")
    code, answer = command("promote")
    assert (code, champion(made)) == (1, "1")
    assert "did not come to its end" in answer["error"]


def test_no_subject_gets_into_the_record_by_name_or_reason(made):
    """A word that is a subject_id is refused, for the record can never be edited."""
    challenger(made, "named")
    with made.lake.connection() as connection:
        ((subject,), *_) = made.lake.rows("subjects", connection).project("subject_id").fetchall()
    for given in (
        ["--by", "A.", "--reason", f"because of {subject.upper()}, who left"],
        ["--by", subject, "--reason", REASON],
    ):
        code, answer = command("rollback", *given)
        assert code == 1
        assert "subject_id" in answer["error"]
        assert subject.casefold() not in answer["error"].casefold()


def test_rollbacks_go_back_one_by_one_until_there_is_nothing_before(made):
    """Three served: two rollbacks bring the first back, a third is refused; each is on record with who and why."""
    second = challenger(made, "second")
    command("promote")
    third = challenger(made, "third")
    command("promote")
    told = ["--by", "A. Clinician", "--reason", "Too many false alarms on the ward"]
    for expected in (second.version, "1"):
        code, answer = command("rollback", *told)
        assert (code, champion(made)) == (0, expected), answer
    code, answer = command("rollback", *told)
    assert (code, champion(made)) == (1, "1")
    assert "nothing to go back to" in answer["error"]
    last = ledger.entries(made.audit_log, NAME)[-2:]
    assert [(e.kind, e.before, e.after, e.by) for e in last] == [
        (ROLLBACK, third.version, second.version, "A. Clinician"), (ROLLBACK, second.version, "1", "A. Clinician"),
    ]  # fmt: skip
    assert command("rollback")[0] == 2


def test_a_person_reads_of_a_rollback_in_words(made):
    """The reason is quoted once in the table, without the brackets of a program."""
    challenger(made, "twin")
    assert command("promote")[0] == 0
    said = CliRunner().invoke(app, ["rollback", "--by", "A. Clinician", "--reason", REASON]).stdout
    assert "taken back: “" in said
    assert "('" not in said


def test_a_training_does_not_undo_a_rollback_but_a_person_may(made):
    """Until somebody promotes again, the gate of a training leaves what was brought back."""
    second = challenger(made, "taken back")
    promotion.decide(made, NIGHT)
    assert champion(made) == second.version
    promotion.rollback(made, "crisis", promotion.words(made, "A. Clinician", REASON))
    assert "took the last champion back" in str(promotion.decide(made, NIGHT)[NAME])
    assert champion(made) == "1"
    assert command("promote")[0] == 0
    assert champion(made) == second.version


def test_what_was_cut_off_between_record_and_alias_is_made_up_for_and_recorded_once(made, monkeypatch):
    """A kill leaves an entry without its deed; the same command again does it and adds nothing."""
    second = challenger(made, "killed")
    for deed in (lambda: promotion.decide(made, NIGHT),
                 lambda: promotion.rollback(made, "crisis", promotion.Word("A. Clinician", REASON))):  # fmt: skip
        serving = champion(made)
        with monkeypatch.context() as killed:
            killed.setattr(type(made.registry), "set_alias", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                deed()
        assert champion(made) == serving
        recorded = made.audit_log.entries()
        deed()
        assert (champion(made) != serving, made.audit_log.entries()) == (True, recorded)
    assert second.version != champion(made)


def test_a_champion_that_no_promotion_made_scores_nobody(made):
    """An alias moved in MLflow by hand is found before anything is written; `rollback` mends it."""
    stranger = challenger(made, "by hand")
    made.registry.set_alias(stranger, CHAMPION)
    with pytest.raises(Refused, match="no promotion on record made it so"):
        night.refuse_early(made, NIGHT)
    assert promotion.rollback(made, "crisis", promotion.Word("A. Clinician", REASON)).after == "1"
    night.refuse_early(made, NIGHT)


def test_a_version_that_was_deleted_is_not_gone_back_to(made, monkeypatch):
    """Refused by name, and nothing is recorded."""
    challenger(made, "last")
    command("promote")
    before = made.audit_log.entries()
    monkeypatch.setattr(type(made.registry), "version", lambda *_: None)
    with pytest.raises(Refused, match="no longer in the registry"):
        promotion.rollback(made, "crisis", promotion.Word("A. Clinician", REASON))
    assert made.audit_log.entries() == before


def test_a_champion_of_other_features_is_fitted_in_the_same_folds(made, tmp_path):
    """Its recipe, features that are off by now included, is compared with the challenger's on the same rows."""
    outcome = engineering.outcomes(made)[0]
    matrix, labels = made.lake.load("training_matrix_crisis"), made.lake.load("labels_crisis")
    features = ("history_episode_rate", "mood_valence_mean_7d")
    assert features[1] not in matrix.columns
    wide = engineering.widened(made, NIGHT, outcome, matrix, features)
    other = fitting.fit_final(wide, labels, outcome, Predictor("other", "logistic", features), made.settings.training)
    risk.save(other, tmp_path / "other")
    version = challenger(made, "other", tmp_path / "other")
    made.registry.set_alias(version, CHAMPION)
    made.registry.set_alias(replace(version, version="1"), CHALLENGER)
    found = contest.against_champion(made, NIGHT, outcome, MODEL, judgement.served(made, "crisis")[1])
    assert found is not None
    assert (found.champion, found.standing) == ("other", Standing.COMPARED)
    assert looks.of(made.audit_log, "crisis") == looks.Looks(2, 2)
    assert -1 < found.low <= found.value <= found.high < 1


@pytest.mark.parametrize(("growth", "standing"), [(Growth(), Standing.SAME), (Growth(rounds=5), Standing.COMPARED)])
def test_a_champion_whose_trees_grew_otherwise_is_another_recipe(made, tmp_path, growth, standing):
    """The same features and learner: a twin of the challenger only where the trees are grown alike, too."""
    outcome = engineering.outcomes(made)[0]
    matrix, labels = made.lake.load("training_matrix_crisis"), made.lake.load("labels_crisis")
    model = replace(candidates(matrix, made.settings.features_on(), made.settings.training)[0], growth=growth)
    risk.save(fitting.fit_final(matrix, labels, outcome, model, made.settings.training), tmp_path / "grown")
    version = challenger(made, "grown", tmp_path / "grown")
    made.registry.set_alias(version, CHAMPION)
    made.registry.set_alias(replace(version, version="1"), CHALLENGER)
    found = contest.against_champion(made, NIGHT, outcome, MODEL, judgement.served(made, "crisis")[1])
    assert found is not None
    assert found.standing == standing


# Of these nights the horizon of 14 days is over on the newest of the lake; of the last it is not.
SHADOW_NIGHTS, OPEN_NIGHT = ("2026-06-10", "2026-06-11"), "2026-06-25"
EARLY = "2026-06-01T01:00:00+00:00"


@pytest.fixture
def shadowed(made: Installation, tmp_path: Path, monkeypatch) -> Iterator[Installation]:
    """Two shadow nights are asked for; what serves was trained before June's nights, and so was a challenger.

    The challenger learnt from a feature that is not on by now.
    """
    monkeypatch.setenv("FORETIDE_RELEASE_POLICY__SHADOW_NIGHTS", "2")
    serving = challenger(made, "early", known_at=EARLY)
    ledger.record(made.audit_log, ledger.Entry(PROMOTION, NAME, "1", serving.version, promotion.JOB, "", ()), None)
    made.registry.set_alias(serving, CHAMPION)
    outcome = engineering.outcomes(made)[0]
    matrix, labels = made.lake.load("training_matrix_crisis"), made.lake.load("labels_crisis")
    features = ("history_episode_rate", "mood_valence_mean_7d")
    wide = engineering.widened(made, NIGHT, outcome, matrix, features)
    other = fitting.fit_final(wide, labels, outcome, Predictor("other", "logistic", features), made.settings.training)
    risk.save(other, tmp_path / "beside")
    challenger(made, "beside", tmp_path / "beside", known_at=EARLY)
    yield Installation(load_settings(made.settings.home / "foretide.yaml"))
    for folder in (made.settings.deliveries_folder, made.lake.derived(shadow.TABLE)):
        shutil.rmtree(folder, ignore_errors=True)


def in_shadow(installation: Installation) -> pd.DataFrame:
    """The rows of the sealed store, in one order."""
    files = list(installation.lake.derived(shadow.TABLE).rglob("as_of_date=*/*.parquet"))
    if not files:
        return pd.DataFrame(columns=shadow.SCHEMA.names)
    with installation.lake.connection() as connection:
        rows = connection.read_parquet([str(path) for path in files], hive_partitioning=True).df()
    return rows.sort_values(["as_of_date", "model_version", "subject_id"], ignore_index=True)


def published(installation: Installation) -> dict[str, bytes]:
    """Every byte that is delivered or shown as a page."""
    settings = installation.settings
    files = [
        path
        for top in (settings.deliveries_folder, settings.reports_folder)
        for path in top.rglob("*")
        if path.is_file()
    ]
    return {str(path.relative_to(settings.state_folder)): path.read_bytes() for path in files}


def scored(installation: Installation, night_of: str) -> str:
    """Score a night by champion and challenger, deliver nothing; what became of the challenger's part."""
    engineering.night_matrices(installation, night_of)
    night.score(installation, night_of)
    return str(shadow.score(installation, night_of)[NAME])


def test_a_challenger_serves_once_it_scored_in_the_champions_shadow_and_the_outcomes_are_known(shadowed):
    """Two nights are asked for: it is held back by none, by one with another that is open, and serves after the second."""
    beside = shadowed.registry.find(NAME, CHALLENGER)
    judgement.judge(shadowed, NIGHT)
    assert judgement.decision_of(shadowed, "crisis").reasons == (
        "scored beside the champion on 0 nights whose outcomes are known, of 2 asked for",
    )
    for night_of in (SHADOW_NIGHTS[0], OPEN_NIGHT):
        assert scored(shadowed, night_of).startswith(f"version {beside.version} scored ")
    code, answer = command("promote")
    assert (code, champion(shadowed)) != (0, beside.version)
    told = (
        "on 1 night whose outcomes are known, of 2 asked for; those of 1 more are not known yet. Score further nights"
    )
    assert f"serve: scored beside the champion {told}" in answer["error"]
    scored(shadowed, SHADOW_NIGHTS[1])
    code, answer = command("promote")
    assert (code, champion(shadowed)) == (0, beside.version), answer
    assert "on 2 nights whose outcomes are known" in str(answer["rows"])


def test_nights_of_another_version_do_not_count(shadowed):
    """Not even of one that is made of the same files: each challenger begins anew."""
    scored(shadowed, SHADOW_NIGHTS[0])
    beside = shadowed.registry.find(NAME, CHALLENGER)
    assert shadow.nights(shadowed, "crisis") == Shadowed(1, 0)
    challenger(shadowed, "next", shadowed.registry.fetch(beside), known_at=EARLY)
    assert shadow.nights(shadowed, "crisis") == Shadowed(0, 0)


def test_a_shadow_night_is_the_champions_night_by_the_challenger_and_nobody_sees_it(shadowed):
    """The same subjects and the same abstention, other risks; twice is once; delivery and pages are the same to the byte."""
    beside = shadowed.registry.find(NAME, CHALLENGER)
    shadowed.registry.set_alias(shadowed.registry.find(NAME, CHAMPION), CHALLENGER)
    assert command("score", "--as-of", SHADOW_NIGHTS[0])[0] == 0
    alone = published(shadowed)
    assert in_shadow(shadowed).empty
    shutil.rmtree(shadowed.settings.deliveries_folder)
    shadowed.registry.set_alias(beside, CHALLENGER)
    assert command("score", "--as-of", SHADOW_NIGHTS[0])[0] == 0
    assert published(shadowed) == alone
    with pytest.raises(KeyError):
        shadowed.lake.load(shadow.TABLE)
    rows = in_shadow(shadowed)
    scores = shadowed.lake.load("scores").drop_duplicates("subject_id").set_index("subject_id")
    assert set(rows["model_version"]) == {beside.version}
    assert rows.set_index("subject_id")["status"].to_dict() == scores["status"].to_dict()
    assert set(rows["status"]) > {"scored"}
    is_scored = rows["status"] == "scored"
    assert (rows["risks"].str.len() == is_scored.astype(int)).all()
    said = rows[is_scored].set_index("subject_id")["risks"].str[0]
    assert not (said == scores["probability"].reindex(said.index)).any()
    shadow.score(shadowed, SHADOW_NIGHTS[0])
    pd.testing.assert_frame_equal(in_shadow(shadowed), rows)


def test_what_keeps_a_challenger_from_scoring_is_told_and_the_champions_night_goes_on(shadowed, monkeypatch):
    """Altered files, a registry that cannot be asked, a later training: no row, no fault; where none is asked for, nothing."""
    night_of, registry = SHADOW_NIGHTS[0], shadowed.registry
    beside = registry.find(NAME, CHALLENGER)
    for top in (registry.artifact_root, registry.cache):
        for path in top.rglob("model.json"):
            if content_hash(path.parent) == beside.content_sha256:
                path.write_bytes(path.read_bytes() + b" ")
    assert "are not those that were registered" in scored(shadowed, night_of)
    with monkeypatch.context() as broken:
        broken.setattr(type(registry), "find", lambda *_: (_ for _ in ()).throw(OSError))
        assert "cannot be had" in str(shadow.score(shadowed, night_of)[NAME])
        assert shadow.features(shadowed, "crisis", pd.Timestamp(f"{NIGHT}T01:00:00+00:00")) == ()
    challenger(shadowed, "later", known_at=f"{NIGHT}T01:00:00+00:00")
    assert "trained after that night" in str(shadow.score(shadowed, night_of)[NAME])
    monkeypatch.setenv("FORETIDE_RELEASE_POLICY__SHADOW_NIGHTS", "0")
    unasked = Installation(load_settings(shadowed.settings.home / "foretide.yaml"))
    assert shadow.score(unasked, night_of) == {}
    assert not shadowed.lake.derived(shadow.TABLE).exists()


@pytest.mark.parametrize(
    ("error", "why"),
    [(OSError(errno.ENOSPC, "in /a/path"), "No space left on device"), (DeltaError("subject x"), "DeltaError")],
)
def test_a_full_disk_after_the_delivery_costs_the_shadow_night_only(shadowed, monkeypatch, error, why):
    """The night is delivered, the command ends well and says why; the check of the run warns; no row is kept."""

    put = by_night.put

    def full(lake: object, name: str, *rows: object) -> None:
        if name == shadow.TABLE:
            raise error
        put(lake, name, *rows)

    monkeypatch.setattr(by_night, "put", full)
    code, answer = command("score", "--as-of", SHADOW_NIGHTS[0])
    assert (code, answer["shadow_nights"]) == (
        0, {NAME: f"not scored: its scores could not be made or kept ({why}). Is the disk full? `foretide score` tries again"},
    )  # fmt: skip
    assert (Path(answer["paths"][0]) / "manifest.json").is_file()
    monkeypatch.setenv("DAGSTER_HOME", str(shadowed.settings.home))
    with DagsterInstance.get() as instance:
        assert instance.get_runs(limit=1)[0].status == DagsterRunStatus.SUCCESS
        key = AssetCheckKey(AssetKey("model_shadow_scores"), "nothing_kept_a_challenger_from_scoring")
        check = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)[0]
    evaluation = check.event.dagster_event.asset_check_evaluation_data
    assert (evaluation.passed, evaluation.severity) == (False, AssetCheckSeverity.WARN)
    assert in_shadow(shadowed).empty


def test_a_fault_of_the_code_is_not_taken_for_a_fault_of_the_challenger(shadowed, monkeypatch):
    """What no disk, registry or file can cause is raised."""
    monkeypatch.setattr(risk, "predict", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shadow.score(shadowed, SHADOW_NIGHTS[0])


def test_scoring_says_in_a_line_what_became_of_the_shadow_night(shadowed):
    """Which version scored how many, by the challenger's name."""
    said = CliRunner().invoke(app, ["score", "--as-of", SHADOW_NIGHTS[0]]).stdout
    beside = shadowed.registry.find(NAME, CHALLENGER)
    (line,) = [line for line in said.splitlines() if "hadow night" in line]
    assert re.fullmatch(rf"Shadow night of {NAME}: version {beside.version} scored \d+ of \d+ subjects\.", line)
