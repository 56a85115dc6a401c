"""Small numbers stay hidden: each rule at its edge, and nothing that is shown tells of a few by subtraction."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelsError
from models.fairness import differencing, disclosure, showing
from models.fairness.differencing import Membership
from tests.models import small_audit
from tests.models.small_audit import audit_of, cohort


def cell(n_subjects=100, n_event_subjects=50, largest_event_share=0.1):
    """One cell that may be shown but for what is given."""
    return pd.DataFrame({"n_subjects": [n_subjects], "n_event_subjects": [n_event_subjects],
                         "largest_event_share": [largest_event_share]})  # fmt: skip


@pytest.mark.parametrize(
    ("given_cell", "why"),
    [
        (cell(n_subjects=10), ""),
        (cell(n_subjects=9), "fewer than 10 subjects"),
        (cell(n_event_subjects=5), ""),
        (cell(n_event_subjects=4), "fewer than 5 subjects with an event"),
        (cell(largest_event_share=0.30), ""),
        (cell(largest_event_share=0.31), "one subject has more than 30 % of the events"),
        (cell(largest_event_share=np.nan), "one subject has more than 30 % of the events"),
        (cell(n_subjects=9, n_event_subjects=4), "fewer than 10 subjects"),
    ],
)
def test_a_cell_is_hidden_just_below_each_threshold(given_cell, why):
    """Ten subjects, five with an event and 30 % are enough; one less, or more, is not, and the reason says which."""
    assert disclosure.why_hidden(given_cell).tolist() == [why]
    assert disclosure.is_showable(given_cell).tolist() == [why == ""]


@pytest.mark.parametrize(("differ", "is_near"), [(0, False), (1, True), (9, True), (10, False)])
def test_two_cells_are_near_from_one_to_nine_subjects(differ, is_near):
    """The same subjects tell nothing new, ten are enough."""
    assert disclosure.is_too_near(np.array([differ])).tolist() == [is_near]


def test_differences_count_who_is_in_one_cell_alone():
    """Symmetric, by name, over cohorts that share some subjects and over more subjects than fit in a block."""
    these = Membership.of({"x": ["a", "b", "c"], "y": ["c"]})
    those = Membership.of({"x": ["b", "c", "z"], "none": []})
    assert differencing.differences(these, those).tolist() == [[2, 3], [2, 1]]
    many = [f"s{k}" for k in range(2 * differencing.BLOCK + 7)]
    large = Membership.of({"all": many, "but three": many[3:]})
    assert differencing.differences(large, large).tolist() == [[0, 3], [3, 0]]


def test_the_text_of_a_membership_names_nobody():
    """What lands in a log or a traceback holds no subject, neither of one cell nor of two cohorts' cells."""
    of = Membership.of({"all": ["Sentinel-7", "b"], "few": ["Sentinel-7"]})
    assert not [
        text for it in (of, of.only(["few"]), of.beside(of)) for text in (repr(it), str(it)) if "Sentinel" in text
    ]


def split(sizes: dict[str, int], every: int = 2):
    """The audit of one attribute with groups of these sizes; half of each had an event, never fewer than five of ten."""
    names = [(f"{group}{k}", group) for group, size in sizes.items() for k in range(size)]
    attributes = pd.DataFrame({"subject_id": [n for n, _ in names], "sex": [group for _, group in names]})
    return audit_of(attributes, {n: 1 for n, _ in names[::every]})


def split_by_events(groups: dict[str, tuple[int, int]]):
    """The audit of one attribute with groups of so many subjects, so many of them with an event."""
    names = {group: [f"{group}{k}" for k in range(size)] for group, (size, _) in groups.items()}
    rows = [(name, group) for group, of in names.items() for name in of]
    had = [name for group, (_, n) in groups.items() for name in names[group][:n]]
    return audit_of(pd.DataFrame(rows, columns=["subject_id", "sex"]), dict.fromkeys(had, 1))


def shown_cells(audit):
    return set(showing.releasable(audit).tables["cells"]["cell"])


@pytest.mark.parametrize(("small", "is_rest_shown"), [(9, False), (10, True)])
def test_everybody_and_everybody_but_nine_are_not_both_shown(small, is_rest_shown):
    """The rest goes, not the whole; ten may be told apart."""
    shown = shown_cells(split({"F": 60, "M": 50, "X": small}, every=1))
    assert {"all", "sex=F", "sex=M"} <= shown
    assert ("not sex=X" in shown) == is_rest_shown


@pytest.mark.parametrize(("n_events", "is_shown"), [(9, False), (10, True)])
def test_two_cells_that_differ_by_nine_with_an_event_are_not_both_shown(n_events, is_shown):
    """Everybody caught, less those of the men, would be those of nine women; the nine themselves are enough for a cell."""
    released = showing.releasable(split_by_events({"F": (60, 30), "M": (50, n_events)}))
    assert {"all", "sex=M"} <= set(released.cells)
    assert ("sex=F" in released.cells) == is_shown
    log = released.suppressed[["of", "cell", "n_cells", "why"]].to_numpy().tolist()
    why = "differs from another shown cell by fewer than 10 subjects with an event"
    assert ([line for line in log if line[3] == why] == []) == is_shown
    assert is_shown or ["group", "", 1, why] in log


@pytest.mark.parametrize(
    ("n_subjects", "n_event_subjects", "is_telling"),
    [(0, 0, False), (9, 9, True), (10, 4, True), (10, 5, False), (100, 0, True), (100, 50, False)],
)
def test_what_two_counts_leave_must_be_enough_for_a_cell(n_subjects, n_event_subjects, is_telling):
    """Ten subjects, five of them with an event, as of any cell; the same subjects leave nothing."""
    assert disclosure.is_telling(np.array([n_subjects]), np.array([n_event_subjects])).tolist() == [is_telling]


def test_of_two_near_cells_that_are_not_nested_one_is_shown():
    """Two groups with eight subjects who are in one of them alone: the smaller goes."""
    names = [f"s{k}" for k in range(80)]
    attributes = pd.DataFrame({"subject_id": names, "a": ["x" if k < 40 else "y" for k in range(80)],
                               "b": ["x" if 3 <= k < 45 else "y" for k in range(80)]})  # fmt: skip
    shown = shown_cells(audit_of(attributes, dict.fromkeys(names[::2], 1)))
    assert "b=x" in shown
    assert "a=x" not in shown


def test_parts_are_held_to_the_same_rule_and_the_whole_stays():
    """A month without eight of a group is not shown beside the group; one without twelve is, without counts."""
    attributes, episodes = cohort()
    names = attributes["subject_id"]
    tables = showing.releasable(
        audit_of(attributes, episodes, {"April": set(names[8:]), "May": set(names[40:])})
    ).tables
    cells = tables["cells"].set_index("cell")
    assert "all @ April" not in cells.index
    assert pd.isna(cells.loc["all @ May", "n_subjects"])
    assert "all @ May" in set(tables["rows"]["cell"])


def counted(audit):
    return set(showing.releasable(audit).counted)


def test_the_count_of_a_hidden_group_does_not_follow_by_subtraction():
    """Where one group is hidden a second one's counts go too, the smallest; its figures stay."""
    audit = split({"F": 60, "M": 50, "N": 40, "X": 5})
    assert counted(audit) & {"all", "sex=F", "sex=M", "sex=N"} == {"all", "sex=F", "sex=M"}
    assert "sex=N" in shown_cells(audit)


@pytest.mark.parametrize(("other", "is_counted"), [(4, False), (5, True)])
def test_hidden_groups_are_enough_together_from_ten_on(other, is_counted):
    """Nine in two hidden groups would be told by the rest of the table, ten may be."""
    assert ("sex=M" in counted(split({"F": 60, "M": 50, "X": 5, "Y": other}))) == is_counted


@pytest.mark.parametrize(("n_events", "is_counted"), [(4, False), (5, True)])
def test_hidden_groups_have_enough_events_together_from_five_on(n_events, is_counted):
    """Two hidden groups of thirty: what the others leave of the events is theirs together."""
    groups = {"F": (60, 30), "N": (55, 30), "M": (50, 25), "X": (9, n_events - 3), "Y": (21, 3)}
    assert ("sex=M" in counted(split_by_events(groups))) == is_counted


def test_the_count_of_a_hidden_crossed_group_does_not_follow_from_its_row_and_column():
    """Three by three, one inner cell hidden: of its row and of its column another inner count goes, or the margins."""
    sites, names, rows = ("n", "s", "e"), [], []
    for sex in "FMX":
        for site in sites:
            for k in range(4 if (sex, site) == ("F", "n") else 30):
                names.append(f"{sex}{site}{k}")
                rows.append((sex, site))
    attributes = pd.DataFrame({"subject_id": names, "sex": [r[0] for r in rows], "site": [r[1] for r in rows]})
    audit = audit_of(attributes, dict.fromkeys(names[::2], 1))
    left = counted(audit)
    assert "sex=F & site=n" not in left
    assert {"all", "sex=F", "site=n"} <= left
    assert not sums_to(audit, left, "sex=F & site=n")
    assert len(left & {"sex=F & site=s", "sex=F & site=e"}) == 1


def test_two_small_crossed_groups_do_not_follow_together_from_what_they_are_part_of():
    """Four and four of one sex in two sites: that sex, less its groups in other sites, would be the eight."""
    sizes = {("F", "n"): 4, ("F", "w"): 4, ("F", "s"): 30, ("F", "e"): 40}
    people = [
        (f"{sex}{site}{k}", sex, site) for sex in "FM" for site in "nwse" for k in range(sizes.get((sex, site), 50))
    ]
    audit = audit_of(pd.DataFrame(people, columns=["subject_id", "sex", "site"]), {n: 1 for n, *_ in people[::2]})
    eight = audit.members["sex=F & site=n"] | audit.members["sex=F & site=w"]
    audit = replace(audit, members={**audit.members, "eight": eight})
    left = counted(audit)
    assert "sex=F" in left
    assert not sums_to(audit, left, "eight")


def test_a_small_group_does_not_follow_from_groups_of_three_attributes_that_are_not_parts_of_each_other():
    """The half of it that is in one group and the half that is in another, with the halves of a third group."""
    of = ["x"] * 60 + ["small"] * 12 + ["z"] * 80
    is_first = [(k < 30) or (60 <= k < 66) for k in range(152)]
    is_second = [(k < 72) and not first for k, first in enumerate(is_first)]
    names = [f"s{k:03}" for k in range(152)]
    attributes = pd.DataFrame({"subject_id": names, "a": of, "b": is_first, "c": is_second})
    audit = audit_of(attributes, {n: 1 for k, n in enumerate(names) if k % 2 and not 60 <= k < 68})
    audit = replace(audit, cells=audit.cells[~audit.cells["is_crossed"]], tables={})
    assert sums_to(audit, {"b=True", "c=True", "a=x"}, "a=small")
    assert not sums_to(audit, counted(audit), "a=small")


def sums_to(audit, cells, sought) -> bool:
    """Whether a cell is a sum of others with whatever weights, by solving for them over all subjects."""
    of = Membership.of({name: audit.members[name] for name in [*sorted(cells), sought]})
    inner = of.is_in[:-1].astype(float)
    weights = np.linalg.lstsq(inner.T, of.is_in[-1].astype(float), rcond=None)[0]
    return bool(np.abs(inner.T @ weights - of.is_in[-1]).max() < 1e-6)


def test_figures_have_two_decimals_and_counts_are_multiples_of_five():
    """Per thousand to tens, for more digits would count alerts; days and margins as declared; no p-value; no minus zero."""
    attributes, episodes = cohort(123)
    released = showing.releasable(audit_of(attributes, episodes))
    rows = released.tables["rows"].query("cell == 'all'").set_index("metric")["value"]
    assert rows.to_dict() == {"tpr": 0.12, "alerts_per_1000_days": 120.0}
    verdicts = released.tables["verdicts"]
    assert verdicts.loc[verdicts["cell"] == "all", "n_subjects"].tolist() == [125]
    assert (verdicts["difference"].map(str) == "0.0").all()
    assert "p_adjusted" not in verdicts
    assert released.about["n_rows"] == 1235
    for table in released.tables.values():
        for name in [c for c in table if c.startswith("n_")]:
            assert (table[name].dropna() % 5 == 0).all()


@pytest.mark.parametrize(("size", "is_drawn"), [(49, False), (50, True)])
def test_curves_are_shown_from_fifty_subjects_on(size, is_drawn):
    """All three kinds; figures are shown of fewer."""
    tables = showing.releasable(split({"F": size, "M": 70})).tables
    assert [("sex=F" in set(tables[name]["cell"])) for name in small_audit.CURVES] == [is_drawn] * 3
    assert "sex=F" in set(tables["rows"]["cell"])


def test_a_comparison_needs_both_its_cells():
    """Nothing is compared with a cell that may not be shown."""
    audit = split({"F": 60, "M": 50, "X": 5})
    verdicts = audit.tables["verdicts"].assign(reference_cell="sex=X")
    for show in (showing.releasable, showing.internal):
        assert show(replace(audit, tables={"verdicts": verdicts})).tables["verdicts"].empty


def test_the_log_says_why_and_names_nobody_whose_name_would_tell():
    """A group of five is counted, not named; one with few events is named."""
    names = [f"s{k}" for k in range(125)]
    sexes = ["F"] * 60 + ["M"] * 40 + ["N"] * 20 + ["X"] * 5
    audit = audit_of(pd.DataFrame({"subject_id": names, "sex": sexes}), dict.fromkeys(names[:100:2], 1))
    log = showing.releasable(audit).suppressed.query("table == 'every table' and what == 'figures'")
    told = log.set_index("why")[["cell", "n_cells"]].T.to_dict("list")
    assert told == {
        "fewer than 10 subjects": ["", 1],
        "differs from another shown cell by fewer than 10 subjects": ["", 1],
        "fewer than 5 subjects with an event": ["sex=N", 1],
    }
    assert "X" not in showing.releasable(audit).suppressed.to_csv()


def test_internal_has_exact_counts_and_full_figures_but_of_no_cell_below_ten():
    """A group of nine is named; whom it would be told by subtraction is not asked here."""
    audit = split({"F": 61, "M": 50, "X": 9})
    shown = showing.internal(audit)
    cells = shown.tables["cells"].set_index("cell")
    assert cells["n_subjects"].to_dict() | {"sex=X": None} == {"all": 120, "sex=F": 61, "not sex=F": 59, "sex=M": 50,
                                                               "not sex=M": 70, "sex=X": None, "not sex=X": 111}  # fmt: skip
    assert cells.loc["sex=X", ["n_subjects", "n_rows", "n_episodes"]].isna().all()
    assert set(shown.tables["rows"]["cell"]) == set(cells.index) - {"sex=X"}
    assert shown.tables["rows"]["value"].iloc[0] == 0.12345
    assert shown.suppressed[["cell", "why"]].to_numpy().tolist() == [["sex=X", "fewer than 10 subjects"]]


def test_internal_has_no_figure_of_fewer_than_five_with_an_event_but_their_coverage():
    """What was flagged before one person's event is that person's; how much data there was is not."""
    audit = split({"F": 61, "M": 50})
    cells = audit.cells.copy()
    cells.loc[cells["cell"] == "sex=M", "n_event_subjects"] = 4
    coverage = audit.tables["rows"].assign(measure="completeness")
    shown = showing.internal(replace(audit, cells=cells, tables={**audit.tables, "coverage": coverage}))
    assert "sex=M" not in set(shown.tables["rows"]["cell"])
    assert "sex=M" in set(shown.tables["coverage"]["cell"])
    assert shown.tables["cells"].set_index("cell").loc["sex=M", "n_subjects"] == 50
    assert shown.suppressed[["cell", "why"]].to_numpy().tolist() == [["sex=M", "fewer than 5 subjects with an event"]]


def test_a_table_about_an_unknown_cell_is_refused():
    """Nobody could tell whether it may be shown."""
    audit = split({"F": 60, "M": 50})
    tables = {"rows": audit.tables["rows"].replace("sex=F", "sex=G")}
    for show in (showing.releasable, showing.internal):
        with pytest.raises(ModelsError, match="`rows` has 2 rows about cells"):
            show(replace(audit, tables=tables))


def test_members_that_are_not_the_count_are_refused():
    """Rules by counts and rules by members must be about the same subjects."""
    audit = split({"F": 60, "M": 50})
    with pytest.raises(ModelsError, match=r"`cells\.n_subjects` is not the number of `members` in 1 cells"):
        showing.releasable(replace(audit, members={**audit.members, "sex=F": audit.members["sex=F"] - {"F1"}}))
    had = audit.event_members
    with pytest.raises(ModelsError, match=r"`cells\.n_event_subjects` is not the number of `event_members` in 1 cells"):
        showing.releasable(replace(audit, event_members={**had, "sex=F": had["sex=F"] - {"F0"}}))
    with pytest.raises(ModelsError, match="`event_members` of 1 cells are not among their `members`"):
        showing.releasable(replace(audit, event_members={**had, "sex=F": had["sex=F"] - {"F0"} | {"M0"}}))


def drawn_cohorts():
    """Cohorts of up to 90 subjects in two attributes, one of them with a small group, and a month of some of them."""
    subject = st.tuples(st.sampled_from("FFFMMX"), st.sampled_from("nnsse"), st.integers(0, 2), st.booleans())
    return st.lists(subject, min_size=1, max_size=90)


def audit_drawn(subjects):
    names = [f"s{k:02}" for k in range(len(subjects))]
    attributes = pd.DataFrame({"subject_id": names, "sex": [s[0] for s in subjects], "site": [s[1] for s in subjects]})
    episodes = {n: s[2] for n, s in zip(names, subjects, strict=True)}
    return audit_of(attributes, episodes, {"April": {n for n, s in zip(names, subjects, strict=True) if s[3]}})


@settings(max_examples=60, deadline=None)
@given(drawn_cohorts())
def test_whatever_is_shown_keeps_every_rule(subjects):
    """No shown cell is too small, no two are near, no hidden cell's count is a sum of counts that are shown."""
    audit = audit_drawn(subjects)
    released = showing.releasable(audit)
    shown = list(released.cells)
    cells = audit.cells.set_index("cell")
    assert disclosure.is_showable(cells.loc[shown]).all()
    for one in shown:
        for other in shown:
            assert not 1 <= len(audit.members[one] ^ audit.members[other]) <= 9
            assert not 1 <= len(audit.event_members[one] ^ audit.event_members[other]) <= 9
    counted = set(released.counted)
    assert counted <= set(shown)
    whole = cells[cells["part"] == ""]
    for small in whole.index[~disclosure.is_showable(whole)]:
        assert not counted or not sums_to(audit, counted, small)
    for table in released.tables.values():
        assert set(table["cell"]) <= set(shown)


@settings(max_examples=40, deadline=None)
@given(drawn_cohorts())
def test_internal_shows_all_that_is_releasable(subjects):
    """Suppression only takes away: every row of a release is in the internal bundle."""
    audit = audit_drawn(subjects)
    released, kept = showing.releasable(audit), showing.internal(audit)
    for name, table in released.tables.items():
        assert set(table["cell"]) <= set(kept.tables[name]["cell"])
