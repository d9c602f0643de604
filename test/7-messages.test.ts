import assert from "node:assert/strict";
import { test } from "node:test";
import { Push } from "zeromq";
import { tcp } from "../tools/endpoints.ts";
import { start } from "../tools/script.ts";

test("A worker reports what is not a job, and takes the next", async (t) => {
  const endpoint = await tcp();
  const push = new Push({ linger: 0 });
  t.after(() => push.close());
  await push.bind(endpoint);
  const worker = start("passing-json/client.ts", [endpoint], t.signal);

  for (const [message, shown] of [
    ["nonsense", "'nonsense'"],
    ["", "''"],
    ["null", "'null'"],
    ["5", "'5'"],
    ["[1]", "'[1]'"],
    ['"text"', `'"text"'`],
    ['{"code":200}', `'{"code":200}'`],
    ['{"text":"no code"}', `'{"text":"no code"}'`],
    ['{"code":"200","text":""}', `'{"code":"200","text":""}'`],
    ['{"code":200,"text":5}', `'{"code":200,"text":5}'`],
    ['{"code":200,"text":"cut', `'{"code":200,"text":"cut'`],
    [
      Buffer.from('{"code":1,"text":"\xff"}', "latin1"),
      `'{"code":1,"text":"\ufffd"}'`,
    ],
    ["\x1b[2J\n", "'\\x1B[2J\\n'"],
    ["x".repeat(2 ** 20), `'${"x".repeat(60)}'`],
  ] as const) {
    await push.send(message);
    await push.send('{"code":1,"text":"next","more":true}');
    await worker.stdout.next("1 :: next");
    assert.equal(await worker.stderr.next(/./), `Not a job: ${shown}`);
  }
  assert.equal(worker.stdout.all.length, worker.stderr.all.length);
});
