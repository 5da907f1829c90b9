// outbound.js - the same work as the sender's, done with graphile-worker as its manual recommends: takes events from
// standard input as they happen, adds a job for each, and its task signs, posts and records the attempt.
//
//   node outbound.js --database URL --ca FILE --secret WHSEC --port N [--connections N] [--concurrency N] [--pool N]
//                    [--outcomes-synchronous]
//
// Jobs are added by the statement of the manual for many jobs, one transaction at a time, each with all events that
// came while the last was on its way. Prints "ready" when events are welcome, and at the end a line of figures.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { createRequire } = require("node:module");
const { parseArgs } = require("node:util");

const installed = createRequire(path.join(process.cwd(), "package.json"));
const { Pool } = installed("pg");
const undici = installed("undici");
const { run, Logger } = installed("graphile-worker");

const { values: options } = parseArgs({
    options: {
        database: { type: "string" },
        ca: { type: "string" },
        secret: { type: "string" },
        port: { type: "string" },
        connections: { type: "string", default: "24" },
        concurrency: { type: "string", default: "24" },
        pool: { type: "string", default: "10" },
        "outcomes-synchronous": { type: "boolean", default: false },
    },
});
const BATCH_MAX = 500;
const key = Buffer.from(options.secret.slice("whsec_".length), "base64");

// As many bytes as the fields of a sale take beside those of the measurement; the same as in bench/lib/event.c.
const FILLER = {
    txn_ref: "3f2a9c1e-77d0-4f0c-9b39-5b1f6a0c2d11", vm_id: "demo-00001", success: true, amount: 150, selection: "11",
    name: "Sparkling water 0.5 l", currency: "EUR", code: 0,
};

// The event is durable before it is sent; what becomes of it may be repeated after a crash, never lost. So the
// worker's own transactions need not wait for the disk, as ours do not.
const events = new Pool({ connectionString: options.database, max: 1 });
const outcomes = new Pool({
    connectionString: options.database,
    max: Number(options.pool),
    options: options["outcomes-synchronous"] ? undefined : "-c synchronous_commit=off",
});
const sink = new undici.Pool(`https://127.0.0.1:${options.port}`, {
    connections: Number(options.connections),
    pipelining: 1,
    connect: { ca: fs.readFileSync(options.ca) },
});

const figures = { events: 0, committed: 0, delivered: 0, failed_attempts: 0, recorded_ns: 0n };
let ended = false;

function sign(id, seconds, body) {
    const mac = crypto.createHmac("sha256", key).update(`${id}.${seconds}.`).update(body).digest("base64");
    return `v1,${mac}`;
}

async function post(id, body) {
    const seconds = Math.floor(Date.now() / 1000);
    const answer = await sink.request({
        path: "/feed/alerts",
        method: "POST",
        headers: {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": String(seconds),
            "webhook-signature": sign(id, seconds, body),
        },
        body,
        bodyTimeout: 15000,
        headersTimeout: 15000,
    });
    const text = await answer.body.text();
    const told = JSON.parse(text);
    return { status: answer.statusCode, text, delivered: answer.statusCode < 300 && told.success !== false };
}

const INSERT_ATTEMPT = {
    name: "attempt",
    text: `INSERT INTO attempt (job_id, number, started_at, total_us, http_status, result, answer)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
};

async function deliver(payload, helpers) {
    const started = new Date();
    const began = process.hrtime.bigint();
    const outcome = await post(`msg_${helpers.job.id}`, JSON.stringify(payload));
    const taken = (process.hrtime.bigint() - began) / 1000n;
    await outcomes.query({
        ...INSERT_ATTEMPT,
        values: [helpers.job.id, helpers.job.attempts, started, taken, outcome.status,
            outcome.delivered ? "delivered" : "retry", outcome.text],
    });
    if (!outcome.delivered)
        throw new Error(`status ${outcome.status}`);
}

const ADD_JOBS = {
    name: "add_jobs",
    text: `SELECT 1 FROM graphile_worker.add_jobs(ARRAY(
               SELECT json_populate_record(NULL::graphile_worker.job_spec,
                                           json_build_object('identifier', 'deliver', 'payload', payload))
                 FROM unnest($1::json[]) AS payload))`,
};
const waiting = [];
let adding = false;

async function addWaiting() {
    if (adding)
        return;
    adding = true;
    while (waiting.length > 0) {
        const batch = waiting.splice(0, BATCH_MAX);
        await events.query({ ...ADD_JOBS, values: [batch] });
        figures.committed += batch.length;
    }
    adding = false;
}

function take(line) {
    figures.events++;
    waiting.push(JSON.stringify({ event: line.split(" ").map(Number), ...FILLER }));
    setImmediate(addWaiting);
}

async function main() {
    const quiet = new Logger(() => (level, message) => {
        if (level === "error" || level === "warning")
            process.stderr.write(`graphile-worker: ${message}\n`);
    });
    const runner = await run({
        pgPool: outcomes,
        concurrency: Number(options.concurrency),
        noHandleSignals: true,
        logger: quiet,
        taskList: { deliver },
    });
    const done = new Promise((resolve) => {
        const check = () => ended && figures.delivered === figures.events && resolve();
        runner.events.on("job:complete", ({ error }) => {
            figures[error ? "failed_attempts" : "delivered"]++;
            figures.recorded_ns = process.hrtime.bigint();
            check();
        });
        const lines = readline.createInterface({ input: process.stdin });
        lines.on("line", take);
        lines.on("close", () => { ended = true; check(); });
    });
    process.stdout.write("ready\n");
    await done;
    const { user, system } = process.cpuUsage();
    const told = { ...figures, recorded_ns: Number(figures.recorded_ns), cpu_s: (user + system) / 1e6 };
    process.stdout.write(`${JSON.stringify(told)}\n`);
    await runner.stop();
    await Promise.all([events.end(), outcomes.end(), sink.close()]);
}

main().catch((error) => {
    process.stderr.write(`outbound.js: ${error.stack}\n`);
    process.exit(1);
});
