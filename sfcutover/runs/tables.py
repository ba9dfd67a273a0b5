"""The tables of a run, beside those of the workflow engine in the same database."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

RUNS = sa.Table(
    "sfcutover_runs",
    METADATA,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("cutover", sa.String(200), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("config", sa.Text, nullable=False),  # JSON, normalized, without secrets
    sa.Column("options", sa.Text, nullable=False),  # JSON
    sa.Column("version", sa.String(20), nullable=False),  # of the flow
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("ended", sa.Float),
    sa.Column("outcome", sa.String(40)),
    sa.Column("exit_code", sa.Integer),
    sa.Column("owner", sa.String(80)),
    sa.UniqueConstraint("cutover", "number"),
)
EXECUTORS = sa.Table(
    "sfcutover_executors",
    METADATA,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("cutover", sa.String(200), nullable=False, index=True),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("beat", sa.Float, nullable=False),
    sa.Column("ended", sa.Float),
    sa.Column("taken_by", sa.String(80)),  # who goes on with what it has left behind
)
JOURNAL = sa.Table(
    "sfcutover_journal",
    METADATA,
    # SQLite counts up by itself only an INTEGER.
    sa.Column(
        "seq",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("run", sa.String(200), nullable=False, index=True),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("step", sa.String(80)),
    sa.Column("target", sa.String(200)),
    sa.Column("data", sa.Text, nullable=False),  # JSON
)
REQUESTS = sa.Table(
    "sfcutover_requests",
    METADATA,
    sa.Column(
        "seq",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("run", sa.String(200), nullable=False, index=True),
    sa.Column("kind", sa.String(20), nullable=False),  # approve or cancel
    sa.Column("pause", sa.Integer),  # the journal's number of the pause that it answers
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("time", sa.Float, nullable=False),
)
