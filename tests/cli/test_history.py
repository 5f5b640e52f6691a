"""`history` writes what a journal says over time, as CSV and as Parquet."""

from __future__ import annotations

import csv
import importlib.util
import io
from pathlib import Path

import pytest

import ccxt_contractinfo as cci
from tests.journals import START, answer, pushed, written
from tests.samples import PUSHED, SCHEDULED, entry

from .conftest import Run

PYARROW = "pyarrow is not installed"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of two contracts, one of which gets a date and tiers, and one of which goes away; the name of one has letters
    beyond ASCII."""
    return written(
        tmp_path / "a.jsonl",
        START,
        answer("markets", 1_000, entry(), entry("币安人生USDT")),
        pushed(2_000, dt=SCHEDULED, bks=PUSHED),
        answer("rest", 60_000, gone=["币安人生USDT"]),
    )


def test_csv_has_the_rows(path: Path, run: Run) -> None:
    """Each row of `contract_history` is a line; what is None is empty."""
    header, *lines = csv.reader(io.StringIO(run("history", path, "--csv")))
    rows = cci.contract_history(path)
    assert list(rows[0]) == header
    assert [["" if each is None else str(each) for each in row.values()] for row in rows] == lines
    assert "币安人生/USDT:USDT" in {line[1] for line in lines}


def test_a_file_is_written_instead(path: Path, tmp_path: Path, run: Run) -> None:
    """With --output, the file has what would be on stdout, and nothing is left beside it."""
    file = tmp_path / "out" / "history.csv"
    file.parent.mkdir()
    assert "" == run("history", path, "--csv", "--output", file)
    assert run("history", path, "--csv") == file.read_text(encoding="utf-8")
    assert [file] == list(file.parent.iterdir())


def test_parquet_has_the_rows(path: Path, tmp_path: Path, run: Run) -> None:
    """It has the same columns: texts, and times as integers."""
    parquet = pytest.importorskip("pyarrow.parquet", reason=PYARROW)
    file = tmp_path / "history.parquet"
    assert "" == run("history", path, "--parquet", "--output", file)
    table = parquet.read_table(file)
    assert cci.contract_history(path) == table.to_pylist()
    assert ["string"] * 4 + ["int64"] * 3 == [str(each) for each in table.schema.types]


def test_parquet_into_a_pipe(path: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Without --output, the bytes of the file are on stdout."""
    pytest.importorskip("pyarrow", reason=PYARROW)
    from ccxt_contractinfo.cli.main import main

    assert 0 == main(["history", str(path), "--parquet"])
    written = capfdbinary.readouterr().out
    assert (b"PAR1", b"PAR1") == (written[:4], written[-4:])


def test_an_empty_journal_makes_an_empty_table(tmp_path: Path, run: Run) -> None:
    """There is a header, and no row."""
    path = written(tmp_path / "a.jsonl", START)
    assert "id,symbol,field,value,since,until,known_since\n" == run("history", path, "--csv")


def test_without_pyarrow_it_says_what_to_install(path: Path, failed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Parquet needs it."""
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pyarrow" else found(name))
    assert "ccxt-contractinfo: this needs pyarrow: pip install " in failed("history", path, "--parquet")


def test_parquet_is_not_for_a_terminal(
    path: Path, terminal: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused, with what to do; CSV is shown."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)  # whether pyarrow is installed or not
    assert "" == terminal("history", path, "--parquet", code=1)
    assert "ccxt-contractinfo: Parquet is not for a terminal: give --output FILE\n" == capsys.readouterr().err
    assert "IOTAUSDT,IOTA/USDT:USDT,status,TRADING,,,1000" in terminal("history", path, "--csv")


def test_files_that_cannot_be_read_or_written(path: Path, tmp_path: Path, failed: Run) -> None:
    """The error names the file."""
    assert "none.jsonl: there is no journal" in failed("history", tmp_path / "none.jsonl", "--csv")
    nowhere = tmp_path / "nowhere" / "a.csv"
    assert f"the history cannot be written to {nowhere}: No such file" in failed(
        "history", path, "--csv", "--output", nowhere
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], "one of the arguments --csv --parquet is required"), (["--csv", "--parquet"], "not allowed with argument")],
)
def test_one_form_is_chosen(path: Path, usage_error: Run, arguments: list[str], expected: str) -> None:
    """Neither and both are refused."""
    assert expected in usage_error("history", path, *arguments)
