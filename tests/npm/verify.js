// verify.js - the Standard Webhooks library judges callbacks: reads {"secret", "callbacks": [{"headers", "body"}]}
// from standard input, prints "ok" for each that it accepts and why not for each other.
const { createRequire } = require("module");
const { Webhook } = createRequire(process.cwd() + "/")("standardwebhooks");
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const webhook = new Webhook(given.secret);
for (const { headers, body } of given.callbacks) {
  try {
    webhook.verify(body, headers);
    console.log("ok");
  } catch (error) {
    console.log(error.message);
  }
}
