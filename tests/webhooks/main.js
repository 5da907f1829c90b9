// Runs verifyWebhook of the guide over the cases on standard input (README.md).
const { verifyWebhook } = require("./snippet.js");

const read = (field) => (field === "-" ? undefined : Buffer.from(field, "base64"));
const lines = require("fs").readFileSync(0, "utf8").split("\n").slice(0, -1);
for (const line of lines) {
  const [keys, id, timestamp, signature, body, now] = line.split(" ").map(read);
  const names = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
  const headers = {};
  for (const [name, value] of Object.entries(names)) if (value !== undefined) headers[name] = value.toString("latin1");
  console.log(verifyWebhook(keys.toString().split(","), headers, body, Number(now.toString())));
}
