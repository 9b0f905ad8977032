// Runs engine.io-client's own test suite (6.x, in Node) against our server instead of engine.io:
//
//   node client-suite.mjs <checkout>/packages/engine.io-client [arguments for mocha]
//
// Only the checkout's `test` folder is used; the client under test is the one that is installed here, built. Their
// test/support/hooks.js, which starts engine.io, is left out: the options below say the same to our test server. Not
// run: test/webtransport.mjs (it needs an HTTP/3 server), and what their index.js leaves to browsers.
// USE_FETCH=1 and USE_BUILTIN_WS=1 go through, as in their package.json.

import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { TestServer } from "./support/server.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const OPTIONS = {
  config: { preset: "engine_io_6", pingInterval: 500, maxHttpBufferSize: 100 },
  allowRequest: { whenQuery: "deny" },
  initialHeaders: {
    "set-cookie": [
      "1=1; Max-Age=86400",
      "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
      "3=3; Max-Age=0",
      `4=4; Expires=${new Date().toUTCString()}`,
    ],
  },
  script: {
    connection: [{ do: "send", text: "hi" }],
    message: [
      { do: "send", base64: Buffer.of(0, 1, 2, 3, 4).toString("base64"), when: ["give binary"] },
      { do: "send", text: "пойду спать всем спокойной ночи", when: ["give utf8"] },
      { do: "sendPostHeaders", when: ["sendHeaders"] },
      { do: "echo", unless: ["give binary", "give utf8", "sendHeaders"] },
    ],
  },
};

const version = async (folder) => JSON.parse(await readFile(join(folder, "package.json"), "utf8")).version;

/** A folder with all packages of `folders`; of two with the same name the later folder's (a client has its own). */
async function link(...folders) {
  const into = folders.pop();
  const packages = new Map();
  for (const folder of folders) {
    for (const name of await readdir(folder)) packages.set(name, join(folder, name));
  }
  await mkdir(into);
  for (const [name, from] of packages) await symlink(from, join(into, name));
}

const [checkout, ...mocha] = process.argv.slice(2);
if (!checkout) {
  console.error("usage: node client-suite.mjs <checkout>/packages/engine.io-client [arguments for mocha]");
  process.exit(2);
}

const client = here("./node_modules/engine.io-client-6");
const folder = await mkdtemp(join(tmpdir(), "engine.io-client-suite-"));
const server = await TestServer.start(OPTIONS);
try {
  console.log(`tests of engine.io-client ${await version(checkout)}, client ${await version(client)}`);
  await cp(join(resolve(checkout), "test"), join(folder, "test"), { recursive: true });
  await cp(join(client, "build"), join(folder, "build"), { recursive: true });
  await cp(join(client, "package.json"), join(folder, "package.json"));
  await link(here("./node_modules"), join(client, "node_modules"), join(folder, "node_modules"));
  const run = spawn(
    process.execPath,
    [here("./node_modules/mocha/bin/mocha.js"), "--exit", "test/index.js", ...mocha],
    {
      cwd: folder,
      stdio: "inherit",
      env: {
        ...process.env,
        NODE_OPTIONS: `--require ${JSON.stringify(here("./support/redirect.cjs"))}`,
        ENGINEIO_CLIENT_SUITE_PORT: String(server.port),
      },
    },
  );
  [process.exitCode] = await once(run, "exit");
} finally {
  await rm(folder, { recursive: true, force: true });
  await server.close();
}
