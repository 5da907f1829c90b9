-- graphile.sql - where the peer's task records its attempts: the columns of callback_attempt that it can fill.

CREATE TABLE attempt (
    job_id bigint NOT NULL,
    number integer NOT NULL,
    started_at timestamptz NOT NULL,
    total_us bigint NOT NULL,
    http_status integer NOT NULL,
    result text NOT NULL,
    answer text NOT NULL,
    PRIMARY KEY (job_id, number)
);
