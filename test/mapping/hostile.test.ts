import { describe, expect, it } from "vitest";
import { isFailure } from "../../src/mapping/mapping.ts";
import { isSendable } from "../../src/model/action.ts";
import { requestOf, withRules } from "./mappings.ts";
import { reply } from "./replies.ts";

const SEEDS = [
  ["application/json", '{"action":"REJECT no","reason":"a\\u0000b","list":[1,2,{"constructor":{}}]}'],
  [
    "text/xml",
    '<?xml version="1.0"?><a xmlns:p="u"><p:action b="c">REJECT &#65;<![CDATA[x]]></p:action><!-- --></a>',
  ],
  [
    "text/xml",
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault/></s:Body></s:Envelope>',
  ],
  ["text/plain", "REJECT 5.7.1 no"],
] as const;

const PIECES = [
  '"',
  "<",
  ">",
  "&",
  "]]>",
  "{",
  "[",
  "\\",
  "\r\n",
  "\u0000",
  " ",
  "<!DOCTYPE a>",
  "<!--",
  "\u001b[31m",
  "é",
  "9e999",
  "__proto__",
  "DUNNO",
  "OK",
];

/** The same numbers on each run (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe("a reply of any bytes", () => {
  it("gives an action that can be sent and is allowed, or a failure with a clean detail", async () => {
    const mapping = await withRules(
      '- { when: \'status == 200 && first(body.?action, body.?a, "") != ""\', action: "${first(body.?action, body.a.action)}" }\n- { when: fault != null, action: "REJECT ${fault.reason}" }\n- { when: status == 200, action: "550 ${text}" }',
    );
    const next = numbers(1);
    for (let i = 0; i < 5_000; i++) {
      const [type, seed] = SEEDS[next(SEEDS.length)] ?? SEEDS[0];
      let text: string = seed;
      for (let edits = next(4); edits >= 0; edits--) {
        const at = next(text.length + 1);
        const cut = next(3) === 0 ? next(20) : 0;
        text = text.slice(0, at) + (PIECES[next(PIECES.length)] ?? "") + text.slice(at + cut);
      }
      const given = reply(next(9) === 0 ? 500 : 200, text, next(4) === 0 ? {} : { "content-type": type });
      const verdict = await mapping.interpret(given, requestOf());
      if (isFailure(verdict)) {
        expect(verdict.detail).not.toMatch(/\p{Cc}/u);
      } else {
        expect(isSendable(verdict.action)).toBe(true);
        expect(verdict.action).toMatch(/^(?:REJECT|DUNNO|550 .)/);
      }
    }
  });
});
