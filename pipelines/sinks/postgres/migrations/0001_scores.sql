-- One row a delivery; which one is in force for a night is said here, once.
CREATE TABLE deliveries (
    run_id           text PRIMARY KEY,
    as_of_date       date NOT NULL,
    supersedes       text,
    model_versions   jsonb NOT NULL,
    policy_version   text NOT NULL,
    code_version     text NOT NULL,
    input_content    text NOT NULL,
    manifest_sha256  text NOT NULL,
    n_rows           integer NOT NULL CHECK (n_rows >= 0),
    roster_expected  integer NOT NULL CHECK (roster_expected >= 0),
    roster_delivered integer NOT NULL CHECK (roster_delivered >= 0),
    subjects_erased  integer NOT NULL CHECK (subjects_erased >= 0),
    delivered_at     timestamptz NOT NULL,
    is_in_force      boolean NOT NULL
);
CREATE UNIQUE INDEX deliveries_one_in_force_a_night ON deliveries (as_of_date) WHERE is_in_force;

-- The delivery contract's columns (docs/delivery.md); a final notice repeats the score_id of the row it is about.
CREATE TABLE scores (
    score_id            text NOT NULL,
    run_id              text NOT NULL REFERENCES deliveries,
    subject_id          text NOT NULL,
    as_of_date          date NOT NULL,
    outcome             text NOT NULL,
    horizon_days        integer NOT NULL CHECK (horizon_days > 0),
    status              text NOT NULL CHECK (status IN ('scored', 'insufficient_data', 'in_episode', 'not_eligible',
                                                        'withheld', 'consent_withdrawn')),
    probability         double precision CHECK (probability BETWEEN 0 AND 1),
    mean_risk_low       double precision,
    mean_risk_high      double precision CHECK (mean_risk_low <= mean_risk_high),
    tier                text CHECK (tier IN ('high', 'elevated', 'baseline')),
    rank                integer,
    alert               text CHECK (alert IN ('new', 'worsened', 'again')),
    action              text,
    reason_codes        text[],
    drivers             text[],
    completeness        double precision CHECK (completeness >= 0),
    last_observation_at timestamptz,
    model_version       text NOT NULL,
    policy_version      text NOT NULL,
    supersedes          text,
    generated_at        timestamptz NOT NULL,
    PRIMARY KEY (run_id, subject_id, outcome, horizon_days),
    CONSTRAINT only_the_scored_have_a_probability CHECK ((status = 'scored') = (probability IS NOT NULL)),
    CONSTRAINT only_the_scored_have_a_tier CHECK (status = 'scored' OR (tier IS NULL AND alert IS NULL AND action IS NULL))
);
CREATE INDEX scores_of_a_subject ON scores (subject_id, as_of_date);
CREATE INDEX scores_by_id ON scores (score_id);

CREATE VIEW score_history AS
SELECT s.score_id, s.run_id, s.subject_id, s.as_of_date, s.outcome, s.horizon_days, s.status, s.probability,
       s.mean_risk_low, s.mean_risk_high, s.tier, s.rank, s.alert, s.action, s.reason_codes, s.drivers, s.completeness,
       s.last_observation_at, s.model_version, s.policy_version, s.supersedes, s.generated_at
FROM scores s JOIN deliveries d ON d.run_id = s.run_id
WHERE d.is_in_force;
COMMENT ON VIEW score_history IS 'Every night''s scores, of the delivery in force for that night.';

CREATE VIEW latest_scores AS
SELECT * FROM score_history
WHERE run_id = (SELECT run_id FROM deliveries WHERE is_in_force ORDER BY as_of_date DESC LIMIT 1);
COMMENT ON VIEW latest_scores IS 'The newest night''s scores. For clinical review; a missing probability is not a low risk.';

-- Stays when the night it came with is superseded or no longer the newest.
CREATE VIEW withdrawal_notices AS
SELECT score_id, as_of_date, outcome, horizon_days, generated_at FROM scores WHERE status = 'consent_withdrawn';
COMMENT ON VIEW withdrawal_notices IS 'Score ids of subjects who withdrew consent: delete whatever you hold of them.';
