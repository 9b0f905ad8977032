// nginx and HAProxy as processes of their own, in the foreground, with the files of examples/deploy: ports are filled in,
// and what the package's own main file would say stands around nginx's.

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "../../engineio/support/wait.mjs";

/** The descriptor of the socket that a proxy inherits: a port that the system picks can be told in no other way. */
const LISTENER = 3;

const running = new Set();
// nginx passes SIGTERM on to its workers; killed it would leave them behind.
process.once("exit", () => running.forEach((child) => child.kill("SIGTERM")));
process.once("SIGTERM", () => process.exit(1));

/** The text of a file of examples/deploy. */
export function deployed(file) {
  return readFileSync(new URL(`../../../examples/deploy/${file}`, import.meta.url), "utf8");
}

/** `text` with every pair's first replaced by its second. All of them must be there: the file is tested as it is. */
function fill(text, pairs) {
  return pairs.reduce((filled, [from, to]) => {
    if (!filled.includes(from)) throw new Error(`no "${from}" to fill in`);
    return filled.replaceAll(from, to);
  }, text);
}

/** Any answer of whoever serves there. */
function answer(url) {
  return new Promise((resolve, reject) => get(url, { agent: false }, (response) => resolve(response.resume())).once("error", reject));
}

/** The two servers' addresses, filled in. */
const servers = (ports) => [["127.0.0.1:3001", `127.0.0.1:${ports.a}`], ["127.0.0.1:3002", `127.0.0.1:${ports.b}`]];

/** `edit` pairs change more than the ports. */
const startNginx = (ports, edit = []) =>
  start("nginx", (folder, port) => {
    const site = fill(deployed("nginx.conf"), [["listen 80;", `listen 127.0.0.1:${port};`], ...servers(ports), ...edit]);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n");
    const main = `daemon off;\npid ${folder}/pid;\nerror_log stderr warn;\nworker_processes 2;
events { worker_connections 1024; }\nhttp {\n${temporary}\n${site}\n}\n`;
    return [main, ["-p", folder, "-e", "stderr", "-c"], { NGINX: `${LISTENER};` }];
  });

export const nginx = { name: "nginx", start: startNginx };

/** nginx with a line that is widely copied: every request says `Connection: upgrade`. */
export const nginxWithoutMap = {
  name: "nginx, without the map",
  start: (ports) => startNginx(ports, [["Connection $engine_connection;", 'Connection "upgrade";']]),
};

const startHaproxy = (ports, edit = []) =>
  start("haproxy", () => {
    const text = fill(deployed("haproxy.cfg"), [["bind :80", `bind fd@${LISTENER}`], ...servers(ports), ...edit]);
    return [text, ["-db", "-f"], {}];
  });

export const haproxy = { name: "HAProxy", start: startHaproxy };

/** HAProxy with the lines for clients that keep no cookies. */
export const haproxyWithoutCookies = {
  name: "HAProxy, by the names in ids",
  start: (ports) => startHaproxy(ports, [["#use-server", "use-server"]]),
};

async function start(program, configure) {
  const folder = mkdtempSync(join(tmpdir(), "engineio-proxy-"));
  // nginx's workers are no root.
  chmodSync(folder, 0o755);
  const listener = createServer();
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address();
  const [text, flags, env] = configure(folder, port);
  const file = join(folder, "proxy.conf");
  writeFileSync(file, text);
  const stdio = ["ignore", "pipe", "pipe", listener._handle.fd];
  const child = spawn(program, [...flags, file], { stdio, env: { ...process.env, ...env } });
  listener.close();
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk) => (log += chunk));
  running.add(child);
  const exit = new Promise((resolve) => {
    child.once("error", (error) => resolve(error.code === "ENOENT" ? `it is missing: apt install ${program}` : error));
    child.once("exit", (code, signal) => resolve(code ?? signal));
  }).finally(() => running.delete(child));
  const stop = async () => {
    child.kill("SIGTERM");
    await within(exit, `the end of ${program}`);
    rmSync(folder, { recursive: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const ended = exit.then((end) => {
    throw new Error(`${program} ended: ${end} ${log}`);
  });
  ended.catch(() => {});
  try {
    await within(Promise.race([answer(url), ended]), `an answer of ${program}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}
