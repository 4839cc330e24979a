// Carries out the POSTs that the test writes as JSON, each on a connection of its own, and says of
// each what came: status and text, or why not.

import { connect } from "node:http2";
import { request as over1 } from "node:https";
import { text } from "node:stream/consumers";

const { version, url, ca, headers, body, times } = JSON.parse(await text(process.stdin));
const { origin, pathname } = new URL(url);
const length = { "content-length": Buffer.byteLength(body) };

const posts = {
  2: () =>
    new Promise((resolve, reject) => {
      const session = connect(origin, { ca }).on("error", reject);
      const stream = session.request({ ":method": "POST", ":path": pathname, ...headers, ...length });
      stream.on("error", reject).on("close", () => session.destroy());
      stream.on("response", (answer) => {
        text(stream).then((said) => resolve([answer[":status"], said]), reject);
      });
      stream.end(body);
    }),
  1.1: () =>
    new Promise((resolve, reject) => {
      const options = { method: "POST", agent: false, ca, headers: { ...headers, ...length } };
      const sent = over1(url, options, (answer) => {
        text(answer).then((said) => resolve([answer.statusCode, said]), reject);
      });
      sent.on("error", reject).end(body);
    }),
};

const outcomes = [];
for (let time = 0; time < times; time++) {
  try {
    outcomes.push(await posts[version]());
  } catch (error) {
    outcomes.push([0, String(error.code ?? error)]);
  }
}
process.stdout.write(JSON.stringify(outcomes));
