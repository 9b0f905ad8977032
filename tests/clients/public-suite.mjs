// Runs a checkout of the public protocol suite against the echo example, again and again: exit code 0 if all runs pass.
//
//   node public-suite.mjs DIRECTORY REVISION [RUNS]
//
// DIRECTORY holds the suite's package.json (branch main for revision 4, v3 for 3; `npm ci` done). The suite itself
// insists on port 3000. Revision 4 is run with and without EIO 3 beside it. ENGINEIO_ECHO names the server's binary.

import { spawn } from "node:child_process";
import { EchoServer } from "./support/server.mjs";
import { event } from "./support/wait.mjs";

const [directory, revision, runs = "10"] = process.argv.slice(2);
if (!directory || !["3", "4"].includes(revision)) throw new Error("usage: public-suite.mjs DIRECTORY 3|4 [RUNS]");
const FLAGS = ["--port", 3000, "--ping-interval", 300, "--ping-timeout", 200, "--max-payload", 1_000_000];

let failed = 0;
for (const flags of revision === "4" ? [[], ["--no-eio3"]] : [[]]) {
  const server = await EchoServer.start(...FLAGS, ...flags);
  for (let run = 1; run <= Number(runs); run += 1) {
    // some of its cases leave their WebSocket open, which mocha would wait for
    const suite = spawn("npm", ["test", "--silent", "--", "--exit"], { cwd: directory, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    suite.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    const [code] = await event(suite, "close", "the suite's end", 120_000);
    const count = /\d+ passing.*/.exec(output)?.[0] ?? "nothing passed";
    console.log(`revision ${revision} ${flags.join(" ")} run ${run}: ${code === 0 ? "ok" : "FAILED"}, ${count}`);
    if (code !== 0) {
      failed += 1;
      console.log(output);
    }
  }
  await server.stop();
}
process.exitCode = failed === 0 ? 0 : 1;
