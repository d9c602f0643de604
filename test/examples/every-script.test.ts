// What all scripts have in common.
import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startProgram, startServer, startScript } from "../../tools/child.ts";
import { tcpEndpoint } from "../../tools/endpoints.ts";
import { read, root } from "../../tools/repository.ts";
import { examples, notOnWindows, project, scripts, servers, writeScript } from "../support.ts";

test("the folders hold scripts and nothing else, which begin alike", () => {
  const hasServer = (folder: string) => existsSync(join(root, folder, "server.ts"));
  assert.deepEqual(readdirSync(root).filter(hasServer).sort(), [...examples].sort());
  for (const script of scripts) {
    assert.match(script, /^[\w-]+\/\w+\.ts$/);
    assert.ok(read(script).startsWith("#!/usr/bin/env -S node --import tsx\n"), script);
  }
});

test("the scripts pass the type check of a new project", async (t) => {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  if (!existsSync(tsc)) return t.skip("TypeScript is not installed");
  const cwd = project("");
  for (const folder of examples) cpSync(join(root, folder), join(cwd, folder), { recursive: true });
  for (const args of [["--init"], ["--noEmit"]]) {
    const { exitStatus, stdout } = startProgram(process.execPath, [tsc, ...args], { cwd });
    assert.equal(await exitStatus(), 0, stdout.all.join("\n"));
  }
});

// From Node 22.18 on, Node strips the types by itself.
const strips = "typescript" in process.features && process.features.typescript;
const options = strips ? [] : ["--import", "tsx"];

for (const script of scripts) {
  const [folder, file] = script.split("/");
  test(`${script} runs on its own, and fails where the endpoint is none`, async () => {
    const cwd = project();
    cpSync(join(root, folder), cwd, { recursive: true });
    const node = [...options, file, "--help"];
    const { stdout, stderr, exitStatus } = startProgram(process.execPath, node, { cwd });
    assert.equal(await exitStatus(), 1);
    assert.deepEqual(stdout.all, []);
    await stderr.next(/Error: Invalid argument/);
    await stderr.next(/address: '--help'/);
  });

  test(`${script} ends on Ctrl-C, and says nothing`, async () => {
    const endpoints = [await tcpEndpoint(), "tcp://127.0.0.1:*"];
    const { child, exitStatus, stdout, stderr } = startScript(script, ...endpoints);
    // A server listens, a client waits for one.
    await (servers.includes(script) ? stdout.next(/./) : stderr.next(/^No server at/));
    child.kill("SIGINT");
    // On Windows, there is no such signal: it is ended at once.
    assert.equal(await exitStatus(), "SIGINT");
    assert.ok(
      stderr.all.every((line) => line.startsWith("No server at")),
      `${stderr.all}`,
    );
  });
}

for (const folder of ["passing-json", "eventloop"]) {
  test(`a copy of ${folder}/server.ts ends well on close()`, { skip: notOnWindows }, async () => {
    const endpoint = await tcpEndpoint();
    // One of them has a timer.
    const close =
      'process.on("SIGTERM", () => { socket.close(); clearInterval(globalThis.timer); });';
    const code = read(`${folder}/server.ts`)
      .replace("setInterval(", "globalThis.timer = $&")
      .replace(/^await socket\.bind/m, `${close}\n$&`);
    const server = await startServer(writeScript(code), endpoint);
    // After a job, or the last reply, nothing is under way.
    await startScript(`${folder}/client.ts`, endpoint).stdout.next(/^200|"n":5/);
    server.child.kill("SIGTERM");
    assert.equal(await server.exitStatus(), 0);
    assert.deepEqual(server.stderr.all, []);
  });
}
