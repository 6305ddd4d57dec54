"""What the doctor says of a line to the database that anybody could stand in."""

from __future__ import annotations

import pytest

from listener.commands.database_line import weakness


@pytest.mark.parametrize(
    ("url", "environment", "said"),
    [
        ("sqlite:///escucha.db", {}, ""),
        ("postgresql:///escucha", {}, ""),
        ("postgresql://escucha@/escucha?host=/run/postgresql", {}, ""),
        ("postgresql://u:p@localhost/escucha", {}, ""),
        ("postgresql://u:p@[::1]:5432/escucha", {}, ""),
        ("postgresql://u:p@127.0.0.1/escucha", {}, ""),
        ("postgresql://u:p@db.brand.example/escucha", {}, "without encryption"),
        ("postgresql+psycopg://u:p@db.brand.example:5433/escucha", {}, "db.brand.example may go"),
        ("postgresql://u:p@db.brand.example/escucha?sslmode=disable", {}, "without encryption"),
        ("postgresql://u:p@db.brand.example/escucha?sslmode=require", {}, "nobody proves"),
        ("postgresql://u:p@db.brand.example/escucha?sslmode=verify-ca", {}, "nobody proves"),
        ("postgresql://u:p@db.brand.example/escucha?sslmode=verify-full", {}, ""),
        ("postgresql://u:p@db.brand.example/escucha", {"PGSSLMODE": "verify-full"}, ""),
        ("postgresql://u:p@db.brand.example/escucha?sslmode=require", {"PGSSLMODE": "verify-full"}, "nobody proves"),
        ("postgresql:///escucha", {"PGHOST": "db.brand.example"}, "without encryption"),
        ("postgresql://localhost,db.brand.example/escucha", {}, "db.brand.example"),
        ("postgresql://u:p@[::2/escucha", {}, ""),
    ],
)
def test_a_line_that_anybody_could_stand_in_is_said(url: str, environment: dict[str, str], said: str) -> None:
    found = weakness(url, environment)
    assert said in found
    assert bool(found) is bool(said)
    assert "p@" not in found
