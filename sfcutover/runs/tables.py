"""The tables of a state database."""

from __future__ import annotations

import sqlalchemy as sa

STATE_VERSION = "1"  # of these tables
METADATA = sa.MetaData()

STATE = sa.Table(
    "sfcutover_state",
    METADATA,
    sa.Column("version", sa.String(20), primary_key=True),
)
RUNS = sa.Table(
    "sfcutover_runs",
    METADATA,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("cutover", sa.String(200), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("config", sa.Text, nullable=False),  # JSON, normalized, without secrets
    sa.Column("options", sa.Text, nullable=False),  # JSON
    sa.Column("version", sa.String(20), nullable=False),  # of the workflow
    sa.Column("program", sa.String(40), nullable=False),  # the version of sfcutover
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("ended", sa.Float),
    sa.Column("outcome", sa.String(40)),
    sa.Column("exit_code", sa.Integer),
    sa.UniqueConstraint("cutover", "number"),
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
BASELINES = sa.Table(
    "sfcutover_baselines",
    METADATA,
    sa.Column("cutover", sa.String(200), primary_key=True),
    sa.Column("target", sa.String(200), primary_key=True),
    sa.Column("written", sa.Float, nullable=False),
    sa.Column("record", sa.Text, nullable=False),  # JSON, without secrets
)
EXPORTS = sa.Table(  # one row, once a state was exported or imported
    "sfcutover_exports",
    METADATA,
    sa.Column("lineage", sa.String(40), primary_key=True),  # the same in all that come from it
    sa.Column("number", sa.Integer, nullable=False),  # of the newest export that it has seen
    sa.Column("exported", sa.Float),  # in an export: when; null in a state in use
)
