"""Scores that were erased with their subjects: told as erased, and nothing else of them kept."""

from pipelines.consent.erased_scores import ErasedScores
from pipelines.consent.tombstones import Tombstones

GONE, OTHER = "0a1b2c3d4e5f60718293a4b5", "ffffffffffffffffffffffff"


def test_what_was_remembered_is_known_and_nothing_else_is(tmp_path):
    """Another process finds it; another score is not among them; a folder that is not there holds none."""
    assert not ErasedScores(tmp_path / "nowhere").has(GONE)
    assert not (tmp_path / "nowhere").exists()
    ErasedScores(tmp_path).remember([GONE])
    found = ErasedScores(tmp_path)
    assert (found.has(GONE), found.has(OTHER)) == (True, False)
    found.remember([OTHER])
    assert (found.has(GONE), found.has(OTHER)) == (True, True)


def test_the_file_holds_no_score_and_tells_no_order(tmp_path):
    """Only keyed hashes stand in it, sorted; remembered twice they stand once; without the key they are another's."""
    scores = ErasedScores(tmp_path)
    for score_id in (OTHER, GONE, OTHER):
        scores.remember([score_id])
    content = (tmp_path / "erased-scores").read_text()
    assert GONE not in content
    assert OTHER not in content
    assert content.split() == sorted(set(content.split()))
    assert len(content.split()) == 2
    (tmp_path / "key").unlink()
    assert not ErasedScores(tmp_path).has(GONE)


def test_a_score_is_no_subject(tmp_path):
    """One key, two uses: an id that is spelled as a score has another hash than the score, so that neither tells of the other."""
    Tombstones(tmp_path).bury([OTHER], "2026-07-01", "2026-08-01")
    assert not ErasedScores(tmp_path).has(OTHER)
    ErasedScores(tmp_path).remember([OTHER])
    (line,) = (tmp_path / "erased-scores").read_text().split()
    (tombstone,) = Tombstones(tmp_path).all
    assert not tombstone.subject.startswith(line)
