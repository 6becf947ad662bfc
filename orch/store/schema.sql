-- The tables of orch.duckdb, schema version 3.
-- Times are UTC in TIMESTAMP, money is exact, rates are doubles, unknown is NULL, nested shapes are JSON.
-- Enumerations run from best to worst, so that max() finds the worst.

CREATE TYPE health AS ENUM ('online', 'degraded', 'unknown', 'offline');
CREATE TYPE evidence AS ENUM ('settled', 'accrued', 'estimated', 'speculative');

CREATE TABLE meta (
    key VARCHAR PRIMARY KEY,
    value VARCHAR NOT NULL
);

-- One row per node and poll tick, 30 days. No index: rows come in the order of time.
CREATE TABLE samples (
    taken_at TIMESTAMP NOT NULL,
    host VARCHAR NOT NULL,
    node VARCHAR NOT NULL,
    health health NOT NULL,
    usd_low DOUBLE,
    usd_mean DOUBLE,
    usd_high DOUBLE,
    evidence evidence,
    cpu_used DOUBLE,
    memory_used DOUBLE,
    bandwidth_used DOUBLE,
    storage_used DOUBLE,
    cpu_allocated DOUBLE,
    memory_allocated DOUBLE,
    bandwidth_allocated DOUBLE,
    storage_allocated DOUBLE
);

-- The same by closed hour (taken_at is its start), for ever, with what the hour is made of. One row per hour and
-- node: the roll-up sees to it, an index would cost it a tenth of its time.
CREATE TABLE samples_hourly (
    taken_at TIMESTAMP NOT NULL,
    host VARCHAR NOT NULL,
    node VARCHAR NOT NULL,
    health health NOT NULL,
    usd_low DOUBLE,
    usd_mean DOUBLE,
    usd_high DOUBLE,
    evidence evidence,
    cpu_used DOUBLE,
    memory_used DOUBLE,
    bandwidth_used DOUBLE,
    storage_used DOUBLE,
    cpu_allocated DOUBLE,
    memory_allocated DOUBLE,
    bandwidth_allocated DOUBLE,
    storage_allocated DOUBLE,
    ticks BIGINT NOT NULL,
    online_ticks BIGINT NOT NULL,
    unknown_ticks BIGINT NOT NULL
);

-- One row per poll tick: the health of the whole host, 30 days; then by hour, for ever.
CREATE TABLE ticks (
    taken_at TIMESTAMP NOT NULL,
    host VARCHAR NOT NULL,
    health health NOT NULL
);

CREATE TABLE ticks_hourly (
    taken_at TIMESTAMP NOT NULL,
    host VARCHAR NOT NULL,
    online BIGINT NOT NULL,
    degraded BIGINT NOT NULL,
    unknown BIGINT NOT NULL,
    offline BIGINT NOT NULL
);

-- Questions to nodes and price sources without a usable answer, 30 days. node is NULL for price sources.
CREATE TABLE failures (
    failed_at TIMESTAMP NOT NULL,
    host VARCHAR NOT NULL,
    node VARCHAR,
    endpoint VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    sentence VARCHAR NOT NULL
);

-- A row per accepted price, and one whenever a token's state changes. usd is NULL while unknown.
CREATE TABLE prices (
    taken_at TIMESTAMP NOT NULL,
    token VARCHAR NOT NULL,
    usd DECIMAL(38, 18),
    source VARCHAR,
    state VARCHAR NOT NULL
);

-- Append-only; an entry is never changed once written.
CREATE TABLE ledger (
    entry_id VARCHAR PRIMARY KEY,
    booked_at TIMESTAMP NOT NULL,
    period_start TIMESTAMP NOT NULL,
    period_end TIMESTAMP NOT NULL,
    host VARCHAR NOT NULL,
    node VARCHAR NOT NULL,
    protocol VARCHAR NOT NULL,
    stream VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    amount DECIMAL(38, 18) NOT NULL,
    unit VARCHAR NOT NULL,
    usd_price DECIMAL(38, 18),
    usd_price_source VARCHAR,
    usd_price_at TIMESTAMP,
    usd DECIMAL(38, 18),
    evidence evidence NOT NULL,
    reference VARCHAR NOT NULL,
    emulated BOOLEAN NOT NULL
);

-- plan is the whole plan behind a decision, kept 30 days.
CREATE TABLE decisions (
    id VARCHAR PRIMARY KEY,
    decided_at TIMESTAMP NOT NULL,
    verdict VARCHAR NOT NULL,
    reasons JSON NOT NULL,
    sentence VARCHAR NOT NULL,
    strategy VARCHAR NOT NULL,
    solver VARCHAR NOT NULL,
    solver_chain JSON NOT NULL,
    plan_id VARCHAR,
    from_value JSON NOT NULL,
    to_value JSON NOT NULL,
    gain_usd_per_hour JSON,
    gain_usd DECIMAL(38, 18),
    cost_usd DECIMAL(38, 18),
    net_benefit_usd DECIMAL(38, 18),
    net_benefit_pct DOUBLE,
    horizon_h DOUBLE NOT NULL,
    can_reallocate BOOLEAN NOT NULL,
    blockers JSON NOT NULL,
    host VARCHAR NOT NULL,
    plan JSON
);

-- What each decision was made of, 30 days: enough to make it again. Packed (orch/store/inputs.py); base is the row
-- that a body was deflated with.
CREATE TABLE decision_inputs (
    id VARCHAR NOT NULL,
    decided_at TIMESTAMP NOT NULL,
    host VARCHAR NOT NULL,
    base VARCHAR,
    body BLOB NOT NULL
);

-- A mirror of the sagas' journal, for analytics: the journal is what safety rests on.
CREATE TABLE reallocations (
    id VARCHAR PRIMARY KEY,
    plan_id VARCHAR,
    decision_id VARCHAR,
    state VARCHAR NOT NULL,
    trigger VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    changes JSON NOT NULL,
    reasons JSON NOT NULL,
    sentence VARCHAR NOT NULL,
    predicted_gain_usd_per_hour JSON,
    cost_usd DECIMAL(38, 18),
    realised_gain_usd_per_hour JSON,
    verdict VARCHAR NOT NULL,
    rolled_back_reason VARCHAR,
    counterfactual_usd_per_hour DOUBLE,
    host VARCHAR NOT NULL
);

CREATE TABLE reallocation_steps (
    reallocation_id VARCHAR NOT NULL,
    step_index INTEGER NOT NULL,
    node VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    phase VARCHAR NOT NULL,
    goal JSON NOT NULL,
    undo JSON NOT NULL,
    started_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    outcome VARCHAR NOT NULL,
    read_back JSON,
    sentence VARCHAR NOT NULL,
    host VARCHAR NOT NULL,
    PRIMARY KEY (reallocation_id, step_index, phase)
);

CREATE TABLE alerts (
    id VARCHAR PRIMARY KEY,
    rule VARCHAR NOT NULL,
    node VARCHAR,
    severity VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    since TIMESTAMP NOT NULL,
    sentence VARCHAR NOT NULL,
    remedy VARCHAR NOT NULL,
    resolved_at TIMESTAMP,
    host VARCHAR NOT NULL
);

-- taken_at is the start of the hour; the last figures told within it stand.
CREATE TABLE kpi_hourly (
    taken_at TIMESTAMP NOT NULL,
    host VARCHAR NOT NULL,
    total_usd_per_hour DOUBLE,
    allocation_efficiency JSON NOT NULL,
    uptime_pct DOUBLE,
    uptime_unknown_pct DOUBLE,
    reallocations_per_day DOUBLE,
    success_rate_pct DOUBLE,
    nodes JSON NOT NULL,
    cost_effectiveness DOUBLE,
    prediction_mape_pct DOUBLE,
    prediction_coverage_pct DOUBLE,
    PRIMARY KEY (taken_at, host)
);

-- One row: the latest dashboard body.
CREATE TABLE board (
    taken_at TIMESTAMP NOT NULL,
    body JSON NOT NULL
);
