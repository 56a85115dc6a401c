"""PostgreSQL as a sink: a real server, what it holds, and who may read it."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from pipelines.consent.notice import publish_notice
from pipelines.delivery import contract
from pipelines.delivery.erasure import erase_everywhere
from pipelines.delivery.manifest import MANIFEST_NAME
from pipelines.delivery.nights import POINTER_NAME
from pipelines.delivery.publish import alone_in, current, read_scores
from pipelines.errors import Refused
from pipelines.sink_sections import Postgres
from pipelines.sinks.catching_up import SinkReport, bring_to
from pipelines.sinks.postgres import migrating
from pipelines.sinks.postgres.sink import PostgresSink, examine
from pipelines.sinks.published import stock
from pipelines.sinks.sink import Unreachable
from tests.pipelines.postgres_server import Server
from tests.pipelines.sink_nights import SUBJECTS, publish_night

NIGHTS = ("2026-06-28", "2026-06-29", "2026-06-30")
OTHERS = tuple(name for name in SUBJECTS if name != "zebra-77")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A real PostgreSQL on the loopback."""
    made = Server().start()
    yield made
    made.remove()


@pytest.fixture
def dsn(server) -> str:
    """A fresh database, and no roles of earlier tests."""
    found = server.database("scores")
    with psycopg.connect(found, autocommit=True) as connection:
        for role in ("foretide_reader", "consumer", "loader"):
            connection.execute(f"DROP ROLE IF EXISTS {role}")
    return found


@pytest.fixture
def root(tmp_path) -> Path:
    """A folder of deliveries."""
    return tmp_path / "deliveries"


def bring(root: Path, dsn: str, **changed) -> SinkReport:
    """Bring a database what it lacks."""
    settings = Postgres(dsn=dsn, **changed)
    return bring_to("postgres", lambda: PostgresSink(settings), stock(root))


def ask(dsn: str, question: str, *given) -> list[tuple]:
    """Rows of an answer, our tables without their schema."""
    with psycopg.connect(dsn, autocommit=True, options="-c search_path=foretide") as connection:
        return connection.execute(question, given or None).fetchall()


def test_every_column_comes_through_to_the_bit(root, dsn):
    """What is read from the view is what is read from the delivery: numbers, instants, lists, quotes, absent values."""
    folder = publish_night(root, NIGHTS[0])
    report = bring(root, dsn)
    assert (report.state, report.deliveries_brought, report.rows) == ("up to date", 1, 12)
    names = ", ".join(contract.COLUMNS)
    found = ask(dsn, f'SELECT {names} FROM latest_scores ORDER BY subject_id COLLATE "C", horizon_days')
    table = contract.to_arrow(read_scores(folder)).to_pylist()
    expected = sorted(table, key=lambda row: (row["subject_id"].encode(), row["horizon_days"]))
    assert [dict(zip(contract.COLUMNS, row, strict=True)) for row in found] == expected


def test_the_views_have_the_contracts_columns_and_the_checks_its_words(root, dsn):
    """A column or a status added to the contract is added to the tables too."""
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    for name in ("scores", "latest_scores", "score_history"):
        columns = "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position"
        assert tuple(column for (column,) in ask(dsn, columns, name)) == contract.COLUMNS
    (rules,) = ask(dsn, "SELECT string_agg(pg_get_constraintdef(oid), ' ') FROM pg_constraint WHERE contype = 'c'")[0]
    assert all(f"'{word}'" in rules for word in (*contract.STATUSES, *contract.TIERS, *contract.ALERTS))


@pytest.mark.parametrize(
    "change",
    ["probability = 1.4", "probability = -0.1", "probability = 'NaN'", "status = 'fine'", "tier = 'low'",
     "status = 'in_episode'", "probability = NULL", "horizon_days = 0", "alert = 'why'", "run_id = 'other'"],
)  # fmt: skip
def test_the_tables_refuse_what_the_contract_forbids(root, dsn, change):
    """Whoever writes past Foretide meets the same rules."""
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    with pytest.raises(psycopg.IntegrityError):
        ask(dsn, f"UPDATE scores SET {change} WHERE status = 'scored' RETURNING 1")


def versions(dsn: str) -> list[tuple]:
    """Where every row of ours lies and which transaction wrote it: another one wherever a row is touched."""
    found = []
    for table in ("scores", "deliveries", "migrations"):
        found += ask(dsn, f"SELECT '{table}', ctid::text, xmin::text, xmax::text FROM {table} ORDER BY 2")
    return found


def test_a_second_call_touches_no_row(root, dsn):
    """The same call again changes nothing: not a row is written or locked, and no catalogue entry."""
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    catalogue = "SELECT oid::text, xmin::text FROM pg_class WHERE relnamespace = 'foretide'::regnamespace ORDER BY 1"
    before = versions(dsn), ask(dsn, catalogue)
    report = bring(root, dsn)
    assert (report.state, report.deliveries_brought, report.rows) == ("up to date", 0, 0)
    assert (versions(dsn), ask(dsn, catalogue)) == before


def test_a_night_that_comes_back_to_earlier_inputs_is_in_the_sink_as_it_is_in_force(root, dsn):
    """As after a policy that was put back: what the views show is what the files' pointer names."""
    for inputs in ("a", "b", "a"):
        in_force = publish_night(root, NIGHTS[0], inputs).name
        assert bring(root, dsn).deliveries_brought == 1
        assert ask(dsn, "SELECT DISTINCT run_id FROM latest_scores") == [(in_force,)]


@pytest.mark.parametrize("again", ["a", "b", "new"])
def test_a_night_whose_pointer_was_lost_is_in_the_sink_as_it_is_in_force(root, dsn, again):
    """As after `latest.json` was damaged and removed: with whatever inputs the night is scored then, no superseded run comes back."""
    for inputs in ("a", "b", "a"):
        last = publish_night(root, NIGHTS[0], inputs)
        bring(root, dsn)
    (last.parent / POINTER_NAME).unlink()
    in_force = publish_night(root, NIGHTS[0], again)
    assert (in_force == last) == (again == "a")
    assert bring(root, dsn).state == "up to date"
    assert ask(dsn, "SELECT DISTINCT run_id FROM latest_scores") == [(in_force.name,)]
    assert ask(dsn, "SELECT count(*) FROM deliveries") == [(3 if again == "a" else 4,)]


def test_a_lost_pointer_lets_nobody_stay_who_withdrew(root, dsn):
    """A notice that the database did not get yet reaches it after the night was scored again."""
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    withdraw(root)
    (root / NIGHTS[0] / POINTER_NAME).unlink()
    in_force = publish_night(root, NIGHTS[0], "a", OTHERS)
    assert bring(root, dsn).state == "up to date"
    assert ask(dsn, "SELECT count(*) FROM scores WHERE subject_id = 'zebra-77'") == [(0,)]
    assert ask(dsn, "SELECT count(*) FROM withdrawal_notices") == [(2,)]
    assert ask(dsn, "SELECT DISTINCT run_id FROM latest_scores") == [(in_force.name,)]


def harm(folder: Path) -> None:
    """Cut a manifest's end off."""
    path = folder / MANIFEST_NAME
    path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_damaged_manifest_keeps_no_night_out_for_good(root, dsn, which):
    """One of a superseded run leaves out that run and those before it; one of the run in force is cured by another run."""
    made = [publish_night(root, NIGHTS[0], inputs) for inputs in ("a", "b", "c")]
    harm(made[which])
    if which == 2:
        assert bring(root, dsn).why == "1 night is damaged on disk. Score them again."
    in_force = publish_night(root, NIGHTS[0], "c")
    assert (in_force == made[2]) == (which < 2)
    assert bring(root, dsn).state == "up to date"
    assert ask(dsn, "SELECT DISTINCT run_id FROM latest_scores") == [(in_force.name,)]
    assert ask(dsn, "SELECT count(*) FROM deliveries") == [(2 if which == 0 else 1,)]


def test_who_withdrew_is_erased_though_a_later_delivery_of_the_night_is_damaged(root, dsn):
    """The notice lies before the damaged one, and reaches the database nevertheless."""
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    withdraw(root)
    harm(publish_night(root, NIGHTS[0], "b", OTHERS))
    in_force = publish_night(root, NIGHTS[0], "c", OTHERS)
    assert bring(root, dsn).state == "up to date"
    assert ask(dsn, "SELECT count(*) FROM scores WHERE subject_id = 'zebra-77'") == [(0,)]
    assert ask(dsn, "SELECT DISTINCT run_id FROM latest_scores") == [(in_force.name,)]


def test_a_superseding_delivery_replaces_the_old_one_and_keeps_it(root, dsn):
    """The views show the new one, whole, and nothing of the old one, which stays on record as no longer in force."""
    first = publish_night(root, NIGHTS[0]).name
    bring(root, dsn)
    second = publish_night(root, NIGHTS[0], "b").name
    assert bring(root, dsn).deliveries_brought == 1
    told = ask(
        dsn, "SELECT run_id, supersedes, is_in_force, n_rows, roster_delivered FROM deliveries ORDER BY is_in_force"
    )
    assert told == [(first, None, False, 12, 6), (second, first, True, 12, 6)]
    assert ask(dsn, "SELECT DISTINCT run_id FROM score_history") == [(second,)]
    assert ask(dsn, "SELECT count(*) FROM scores") == [(24,)]


def test_a_sink_that_was_down_catches_up_in_order(root, server, dsn):
    """Three nights and a superseding delivery are missed and said to be; then all come, oldest first, in one call."""
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    server.stop("immediate")
    try:
        for night in ("2026-06-29", "2026-06-30", "2026-07-01"):
            publish_night(root, night)
            report = bring(root, dsn)
            assert (report.state, report.nights_behind) == ("behind", None)
            assert "nothing answers at its address" in report.why
        publish_night(root, "2026-06-30", "b")
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    finally:
        server.start()
    report = bring(root, dsn)
    assert (report.state, report.deliveries_brought) == ("up to date", 4)
    written = "SELECT as_of_date::text, supersedes IS NOT NULL, is_in_force FROM deliveries d ORDER BY "
    order = "(SELECT min(xmin::text::bigint) FROM scores s WHERE s.run_id = d.run_id)"
    assert ask(dsn, written + order) == [
        ("2026-06-28", False, True), ("2026-06-29", False, True), ("2026-06-30", False, False),
        ("2026-06-30", True, True), ("2026-07-01", False, True),
    ]  # fmt: skip
    assert ask(dsn, "SELECT DISTINCT as_of_date::text FROM latest_scores") == [("2026-07-01",)]
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_one_call_brings_no_more_nights_than_it_may(root, dsn):
    """With two nights at once, the third is said to be missing and comes with the next call."""
    for night in NIGHTS:
        publish_night(root, night)
    report = bring(root, dsn, nights_at_once=2)
    assert (report.state, report.deliveries_brought, report.nights_behind) == ("behind", 2, 1)
    assert ask(dsn, "SELECT as_of_date::text FROM deliveries ORDER BY 1") == [(NIGHTS[0],), (NIGHTS[1],)]
    assert bring(root, dsn, nights_at_once=2).state == "up to date"


def test_a_damaged_delivery_is_left_out_and_the_others_come(root, dsn):
    """A flipped bit keeps its own night out, says so, and holds up nobody else."""
    damaged = publish_night(root, NIGHTS[0]) / "scores.parquet"
    publish_night(root, NIGHTS[1])
    content = bytearray(damaged.read_bytes())
    content[100] ^= 1
    damaged.write_bytes(bytes(content))
    report = bring(root, dsn)
    assert (report.state, report.deliveries_brought, report.nights_behind) == ("behind", 1, 1)
    assert "damaged" in report.why
    assert ask(dsn, "SELECT as_of_date::text FROM deliveries") == [(NIGHTS[1],)]


def test_a_process_that_wakes_late_does_not_bring_back_what_was_superseded(root, dsn):
    """What it knew of the night is old: its delivery comes to be on record, and not in force."""
    first = publish_night(root, NIGHTS[0])
    late = stock(root)
    second = publish_night(root, NIGHTS[0], "b")
    shutil.move(first, root / "aside")
    bring(root, dsn)
    shutil.move(root / "aside", first)
    settings = Postgres(dsn=dsn)
    bring_to("postgres", lambda: PostgresSink(settings), late)
    told = ask(dsn, "SELECT run_id, is_in_force FROM deliveries ORDER BY is_in_force")
    assert told == [(first.name, False), (second.name, True)]


def withdraw(root: Path) -> None:
    """What `foretide withdraw` does to deliveries: the notice goes out, then rows are erased everywhere."""
    publish_notice(root, {"zebra-77": "token"}, None)
    with alone_in(root) as own:
        erase_everywhere(root, {"zebra-77"}, own)


def test_who_withdrew_is_erased_of_all_nights(root, dsn):
    """After the next call no night in the database knows the subject; others keep all; the notice tells consumers."""
    for night in NIGHTS:
        publish_night(root, night)
    publish_night(root, NIGHTS[1], "b")
    bring(root, dsn)
    held = ask(dsn, "SELECT score_id FROM latest_scores WHERE subject_id = 'zebra-77' ORDER BY 1")
    withdraw(root)
    report = bring(root, dsn)
    assert (report.state, report.rows_erased) == ("up to date", 8)
    assert ask(dsn, "SELECT count(*) FROM scores WHERE scores::text LIKE '%%zebra%%'") == [(0,)]
    assert ask(dsn, "SELECT count(*) FROM scores WHERE subject_id = ANY(%s)", list(OTHERS)) == [(5 * 2 * 5,)]
    assert ask(dsn, "SELECT DISTINCT score_id FROM withdrawal_notices ORDER BY 1") == held
    erased = "SELECT subjects_erased, n_rows FROM deliveries WHERE supersedes IS NULL"
    assert ask(dsn, erased) == [(1, 10)] * 3
    current_run = current(root, pd.Timestamp(NIGHTS[2])).name
    assert ask(dsn, "SELECT DISTINCT run_id FROM latest_scores") == [(current_run,)]


def test_who_withdrew_while_the_database_was_down_is_erased_when_it_is_back(root, server, dsn):
    """Also of nights it already held, though the night by which the notice calls the subject never came to it."""
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    server.stop("immediate")
    try:
        publish_night(root, NIGHTS[1])
        withdraw(root)
        assert bring(root, dsn).state == "behind"
    finally:
        server.start()
    assert bring(root, dsn).state == "up to date"
    assert ask(dsn, "SELECT count(*) FROM scores WHERE subject_id = 'zebra-77'") == [(0,)]
    assert ask(dsn, "SELECT count(*), count(DISTINCT as_of_date) FROM score_history") == [(22, 2)]


def test_erasure_does_not_wait_for_nights_to_be_caught_up(root, dsn):
    """However few nights a call may bring, the first call erases the subject from all that are there."""
    for night in NIGHTS:
        publish_night(root, night)
    bring(root, dsn)
    publish_night(root, "2026-07-01")
    publish_night(root, "2026-07-02")
    withdraw(root)
    assert bring(root, dsn, nights_at_once=1).nights_behind == 1
    assert ask(dsn, "SELECT count(*) FROM scores WHERE subject_id = 'zebra-77'") == [(0,)]


def test_consumers_read_the_views_and_nothing_else(root, server, dsn):
    """A login with the reader's role gets scores from the views; tables, writing and other schemas are refused."""
    publish_night(root, NIGHTS[0])
    with psycopg.connect(dsn, autocommit=True) as connection:
        # What a careless DBA may have set: whatever is made later would be readable by everybody.
        connection.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
        bring(root, dsn)
        connection.execute("CREATE ROLE consumer LOGIN")
        connection.execute("GRANT foretide_reader TO consumer")
    consumer = server.dsn("consumer", "scores")
    assert len(ask(consumer, "SELECT * FROM latest_scores")) == 12
    assert len(ask(consumer, "SELECT * FROM score_history")) == 12
    assert ask(consumer, "SELECT * FROM withdrawal_notices") == []
    for forbidden in (
        "SELECT * FROM scores", "SELECT * FROM deliveries", "SELECT * FROM migrations",
        "DELETE FROM withdrawal_notices RETURNING 1", "TRUNCATE scores",
        "CREATE TABLE foretide.mine (x int)",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(consumer, forbidden)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.dsn("foretide_reader", "scores"))


def test_a_login_that_may_not_create_is_told_so(root, server, dsn):
    """Without the rights that docs/sinks.md lists nothing is made, and the answer says where to look."""
    publish_night(root, NIGHTS[0])
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE loader LOGIN")
    report = bring(root, server.dsn("loader", "scores"))
    assert report.state == "behind"
    assert "lacks a right" in report.why
    assert ask(dsn, "SELECT count(*) FROM pg_namespace WHERE nspname = 'foretide'") == [(0,)]


def test_a_login_with_the_rights_that_are_documented_is_enough(root, server, dsn):
    """With the schema and the role made by a DBA, the login needs to be neither superuser nor allowed to make roles."""
    publish_night(root, NIGHTS[0])
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE loader LOGIN")
        connection.execute("CREATE ROLE foretide_reader NOLOGIN")
        connection.execute("CREATE SCHEMA foretide AUTHORIZATION loader")
    assert bring(root, server.dsn("loader", "scores")).state == "up to date"


def test_an_altered_migration_is_refused(root, dsn, tmp_path):
    """What was applied is on record with its hash; a file that says something else now stops everything."""
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    settings = Postgres(dsn=dsn)
    sink = PostgresSink(settings)
    for path in migrating.FOLDER.glob("*.sql"):
        (tmp_path / path.name).write_bytes(path.read_bytes() + b"-- another\n")
    with pytest.raises(Unreachable, match=r"0001_scores\.sql` was altered"):
        migrating.migrate(sink.connection, settings, migrating.migrations(tmp_path))
    with pytest.raises(Unreachable, match="newer Foretide"):
        migrating.migrate(sink.connection, settings, [])
    sink.close()


def test_a_migration_that_fails_leaves_nothing_behind(dsn, tmp_path):
    """All of them are one transaction: the schema is there whole, or not at all."""
    settings = Postgres(dsn=dsn)
    (tmp_path / "0001_fine.sql").write_text("CREATE TABLE one (x int);")
    (tmp_path / "0002_broken.sql").write_text("CREATE TABLE two (x int); SELECT nothing FROM nowhere;")
    with psycopg.connect(dsn, autocommit=True) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        migrating.migrate(connection, settings, migrating.migrations(tmp_path))
    assert ask(dsn, "SELECT count(*) FROM pg_namespace WHERE nspname = 'foretide'") == [(0,)]


def test_two_first_calls_at_once_make_one_schema(root, dsn):
    """Whoever comes second waits for the first and finds everything done."""
    publish_night(root, NIGHTS[0])
    reports: list[SinkReport] = []
    threads = [threading.Thread(target=lambda: reports.append(bring(root, dsn))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.state for report in reports] == ["up to date"] * 4
    assert ask(dsn, "SELECT count(*) FROM scores") == [(12,)]
    assert ask(dsn, "SELECT count(*) FROM migrations") == [(len(migrating.migrations()),)]


def test_other_schema_and_role_names_can_be_chosen(root, dsn):
    """Names come from the configuration, and only plain ones are taken."""
    publish_night(root, NIGHTS[0])
    assert bring(root, dsn, schema="risk", reader_role="risk_reader").state == "up to date"
    assert ask(dsn, "SELECT count(*) FROM risk.latest_scores") == [(12,)]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP OWNED BY risk_reader; DROP ROLE risk_reader")
    with pytest.raises(ValueError, match="schema"):
        Postgres(dsn=dsn, schema='x"; DROP SCHEMA public')


SECRET = "tr0ub4dor"


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        (f"host=127.0.0.1 port=1 password={SECRET}", "nothing answers at its address"),
        (f"host=no-such-host.invalid password={SECRET}", "its host name is not known"),
        (f"this is = not a dsn {SECRET}", "the connection string is not readable"),
    ],
)
def test_what_went_wrong_is_said_without_the_address_or_a_secret(root, dsn, told):
    """The reason is in words; neither host, nor port, nor password."""
    publish_night(root, NIGHTS[0])
    report = bring(root, dsn)
    assert (report.state, report.nights_behind) == ("behind", None)
    assert told in report.why
    assert not any(word in report.why for word in (SECRET, "127.0.0.1", "no-such-host"))


def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up(root):
    """After the declared seconds it is behind; the night goes on."""
    publish_night(root, NIGHTS[0])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        report = bring(root, f"host=127.0.0.1 port={silent.getsockname()[1]}", connect_seconds=2)
    assert "no answer in time" in report.why


def test_a_row_that_the_database_refuses_is_not_quoted(root, dsn):
    """PostgreSQL quotes the failing row; we do not."""
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute("ALTER TABLE foretide.scores ADD CHECK (subject_id <> 'zebra-77') NOT VALID")
    publish_night(root, NIGHTS[1])
    report = bring(root, dsn)
    assert (report.state, report.nights_behind) == ("behind", 1)
    assert "refused the rows" in report.why
    assert "zebra" not in report.why


def test_the_connection_string_can_come_from_the_environment(root, dsn, monkeypatch):
    """The configuration names the variable; where it is not set, that is said."""
    publish_night(root, NIGHTS[0])
    monkeypatch.setitem(os.environ, "SCORES_DSN", dsn)
    settings = Postgres(dsn_from="SCORES_DSN")
    assert bring_to("postgres", lambda: PostgresSink(settings), stock(root)).state == "up to date"
    monkeypatch.delitem(os.environ, "SCORES_DSN")
    report = bring_to("postgres", lambda: PostgresSink(settings), stock(root))
    assert "`SCORES_DSN`" in report.why
    assert SECRET not in repr(Postgres(dsn=f"password={SECRET}"))


def test_doctor_looks_and_changes_nothing(root, dsn):
    """Before the first night there is no schema, and looking makes none; afterwards it counts nights."""
    assert "made with the first night" in examine(Postgres(dsn=dsn))
    assert ask(dsn, "SELECT count(*) FROM pg_namespace WHERE nspname = 'foretide'") == [(0,)]
    publish_night(root, NIGHTS[0])
    bring(root, dsn)
    assert "holds 1 night" in examine(Postgres(dsn=dsn))
    with pytest.raises(Refused):
        examine(Postgres(dsn="host=127.0.0.1 port=1"))
