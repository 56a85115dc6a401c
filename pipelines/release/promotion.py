"""Makes a challenger champion where the release policy allows it or a person answers for it, and takes a champion back.

What is done is in the ledger before it is done (`pipelines.release.ledger`).
"""

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass

from models.errors import ModelsError
from models.gate import CONTROLS, SHADOW_NIGHTS, Decision
from pipelines import durable, engineering
from pipelines.errors import Refused, Usage
from pipelines.installation import Installation
from pipelines.progress import Counts
from pipelines.release import fairness, horizons, judgement, ledger, reporting, tracking
from pipelines.release.context import last_night, policy_version
from pipelines.release.ledger import PROMOTION, ROLLBACK, Entry
from pipelines.release.registry import CHALLENGER, CHAMPION, RESULTS_TAG, ModelVersion, ServedModel, model_name

# By whom it was done where it followed from the policy.
JOB = "foretide"
SHORTEST_REASON = 10
# Model reports as they stood when a version was promoted, under the state folder.
KEPT = "released"


@dataclass(frozen=True)
class Word:
    """Who answers for something, and why."""

    by: str
    reason: str


def decide(installation: Installation, night: str) -> Counts:
    """Promote every challenger that the release policy lets serve, as it was judged for the model report.

    Where a person took the last champion back, nothing is promoted until a person does.
    """
    counts: Counts = {}
    for outcome in installation.settings.outcomes:
        decision, challenger = judgement.decision_of(installation, outcome), _challenger(installation, outcome)
        if not decision.is_promoted:
            counts[challenger.name] = f"not promoted: {'; '.join(decision.reasons)}"
        elif ledger.is_taken_back(installation.audit_log, challenger.name):
            counts[challenger.name] = "not promoted: a person took the last champion back"
        else:
            _release(installation, night, outcome, challenger, decision)
            counts[challenger.name] = f"promoted: {'; '.join(decision.reasons)}"
    return counts


def promote(installation: Installation, outcome: str, by: str = JOB, override: Word | None = None) -> Entry | None:
    """Judge the challenger of the last training again and make it champion; None where it is champion already.

    An override is used, and recorded, only where the release policy holds the challenger back.

    Raises:
        Refused: the policy holds it back, and nobody answers for it; a control failed, which nobody can answer for; or it was
            trained for other horizons than are declared.
    """
    night = last_night(installation)
    challenger = _challenger(installation, outcome)
    _refuse_other_results(installation, challenger)
    _refuse_other_horizons(installation, challenger)
    reporting.model_report(installation, night)
    decision = judgement.decision_of(installation, outcome)
    lacking = [rule.name for rule in decision.rules if not rule.is_kept]
    cure = "Score further nights" if lacking == [SHADOW_NIGHTS] else "Train again"
    if not decision.is_promoted and override is None:
        raise Refused(
            f"The release policy does not let `{challenger.name}` version {challenger.version} serve: "
            f"{'; '.join(decision.reasons)}. {cure}, or answer for it: `foretide promote --override --by NAME "
            "--reason TEXT`."
        )
    failed = [rule.told for rule in decision.rules if rule.name == CONTROLS and not rule.is_kept]
    if failed:
        raise Refused(
            f"{failed[0][0].upper()}{failed[0][1:]}. Nobody can answer for that; find the leak and train again."
        )
    if decision.is_promoted or override is None:
        return _release(installation, night, outcome, challenger, decision, by)
    entry = _release(installation, night, outcome, challenger, decision, override.by, override)
    # From now on every page says so.
    fairness.audit(installation, night)
    reporting.model_report(installation, night)
    return entry


def _challenger(installation: Installation, outcome: str) -> ModelVersion:
    challenger = installation.registry.find(model_name(outcome), CHALLENGER)
    if challenger is None:
        raise Refused(f"`{model_name(outcome)}` has no challenger. Run `foretide train` first.")
    return challenger


def _refuse_other_results(installation: Installation, challenger: ModelVersion) -> None:
    """A training that was cut off, or that a control stopped, leaves results that say nothing of the challenger."""
    rows = installation.lake.load("results")
    rows = rows[rows["outcome"] == challenger.tags.get("outcome")]
    if challenger.tags.get(RESULTS_TAG) != tracking.content_of(rows):
        raise Refused(
            f"The results in the lake are not those of `{challenger.name}` version {challenger.version}: a later training "
            "did not come to its end. Run `foretide train` first."
        )


def _refuse_other_horizons(installation: Installation, model: ModelVersion) -> None:
    """No night could be scored by it."""
    horizons.refuse_others(installation.settings, ServedModel(model, installation.registry.fetch(model)))


def _release(
    installation: Installation, night: str, outcome: str, challenger: ModelVersion, decision: Decision, by: str = JOB,
    override: Word | None = None,
) -> Entry | None:  # fmt: skip
    """Record the promotion, then move the alias; None where both were done before."""
    registry, log = installation.registry, installation.audit_log
    champion, known = registry.find(challenger.name, CHAMPION), ledger.entries(log, challenger.name)
    is_recorded = bool(known) and (known[-1].kind, known[-1].after) == (PROMOTION, challenger.version)
    if is_recorded and champion == challenger:
        return None
    registry.fetch(challenger)  # what cannot be verified is not recorded either
    if not is_recorded:
        entry = Entry(
            PROMOTION, challenger.name, None if champion is None else champion.version, challenger.version, by,
            policy_version(installation.settings), decision.reasons, _keep_report(installation, outcome, challenger),
            "" if override is None else override.reason,
        )  # fmt: skip
        ledger.record(log, entry, engineering.cohort(installation, night).known_at)
    registry.set_alias(challenger, CHAMPION)
    return ledger.entries(log, challenger.name)[-1]


def _keep_report(installation: Installation, outcome: str, challenger: ModelVersion) -> str:
    """Keep the model report as it stands now, for the next training writes it anew; its sha256."""
    page = reporting.model_page(installation.settings, outcome).read_bytes()
    kept = installation.settings.state_folder / KEPT / f"{challenger.name}-{challenger.version}.html"
    kept.parent.mkdir(exist_ok=True)
    durable.replace(kept, page)
    return hashlib.sha256(page).hexdigest()


def rollback(installation: Installation, outcome: str, word: Word) -> Entry:
    """Make the version champion again that served before the present one, and record who took that back and why.

    Raises:
        Refused: there is no champion, or none before it; or that one was trained for other horizons than are declared.
    """
    registry, log, name = installation.registry, installation.audit_log, model_name(outcome)
    champion = registry.find(name, CHAMPION)
    if champion is None:
        raise Refused(f"`{name}` has no champion that could be taken back.")
    earlier = ledger.before(log, champion)
    if earlier is None:
        raise Refused(f"No version served before `{name}` version {champion.version}; there is nothing to go back to.")
    model = registry.version(name, earlier)
    if model is None:
        raise Refused(f"`{name}` version {earlier}, which served before, is no longer in the registry; it was deleted.")
    _refuse_other_horizons(installation, model)
    policy = policy_version(installation.settings)
    entry = Entry(ROLLBACK, name, champion.version, earlier, word.by, policy, (word.reason,))
    last = ledger.entries(log, name)[-1]
    # A rollback that was cut off is on record already.
    if (last.kind, last.before, last.after) != (ROLLBACK, champion.version, earlier):
        ledger.record(log, entry, None)
    registry.set_alias(model, CHAMPION)
    # What serves is another: every page says so. The rollback stands, whatever comes of them.
    with suppress(Refused, ModelsError):
        night = last_night(installation)
        fairness.audit(installation, night)
        reporting.model_report(installation, night)
    return ledger.entries(log, name)[-1]


def words(installation: Installation, by: str | None, reason: str | None) -> Word:
    """Who answers and why, fit to stay on record for good.

    Raises:
        Usage: one of the two is missing, or the reason says hardly anything.
        Refused: a subject is named, who could never be erased from the record.
    """
    if not by or not by.strip() or not reason or len(reason.strip()) < SHORTEST_REASON:
        raise Usage(
            f"It needs `--by`, the name of who answers for it, and `--reason`, at least {SHORTEST_REASON} letters that say why."
        )
    word = Word(" ".join(by.split()), " ".join(reason.split()))
    _refuse_subjects(installation, word.by, word.reason)
    return word


def name_of(installation: Installation, by: str | None) -> str:
    """Who asks for a promotion within the policy; the job where nobody is named."""
    if by is None or not by.strip():
        return JOB
    _refuse_subjects(installation, by)
    return " ".join(by.split())


def _refuse_subjects(installation: Installation, *texts: str) -> None:
    """Refuse texts for the record that hold a subject_id as a word.

    Raises:
        Refused: one does.
    """
    text = " ".join(texts).casefold()
    with installation.lake.connection() as connection:
        known = installation.lake.rows("subjects", connection).project("subject_id").distinct().fetchall()
    if any(
        re.search(rf"(?<!\w){re.escape(subject)}(?!\w)", text)
        for (name,) in known
        if (subject := name.casefold()) in text
    ):
        raise Refused(
            "The name or the reason holds a word that is a subject_id. The record is never edited, so that nobody could be "
            "erased from it: say it without."
        )
