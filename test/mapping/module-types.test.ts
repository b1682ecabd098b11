/** The types for people who write modules, held against what a module really gets; `npm run check` checks the example's types. */
import { expect, it } from "vitest";
import type { ModuleReply, ModuleRequest, ToAction, ToRequest } from "../../mappings/module.d.ts";
import { loadMapping } from "../../src/mapping/load.ts";
import { isFailure } from "../../src/mapping/mapping.ts";
import { ATTRIBUTE_NAMES } from "../../src/model/request.ts";
import { fileOf, requestOf } from "./mappings.ts";
import { json } from "./replies.ts";

const toRequest: ToRequest = ({ sender, param, secret }) => ({
  path: `/check/${encodeURIComponent(sender)}`,
  headers: { "x-key": secret.key ?? "", "x-tenant": String(param.tenant) },
});

const toAction: ToAction = ({ status, body }, { recipient }) =>
  status === 200 && body === true ? "DUNNO" : `REJECT 5.7.1 not to ${recipient}`;

it("an example that is type-checked makes calls and actions", async () => {
  const file = fileOf(
    `export const toRequest = ${toRequest.toString()};\nexport const toAction = ${toAction.toString()};\n`,
    ".mjs",
  );
  const loaded = await loadMapping({ name: "test", file, parameters: { tenant: "mail" } });
  const mapping = await loaded.instantiate();
  const asked = requestOf({ sender: "a@example.net", recipient: "b@example.org" });
  expect(await mapping.render(asked)).toMatchObject({ method: "GET", path: "/check/a%40example.net" });
  const denied = await mapping.interpret(json(200, false), asked);
  expect(isFailure(denied) ? denied.cause : denied.action).toBe("REJECT 5.7.1 not to b@example.org");
});

it("they name all that a module gets, and nothing else", async () => {
  const file = fileOf(
    "export const toRequest = (request) => ({ body: JSON.stringify(Object.keys(request)) });\nexport const toAction = (reply, request) => `REJECT ${Object.keys(reply)} ${Object.keys(request)}`;\n",
    ".mjs",
  );
  const mapping = await (await loadMapping({ name: "test", file, parameters: {} })).instantiate();
  // Checked by the compiler: a name that is missing from one side does not fit.
  const others: Record<Exclude<keyof ModuleRequest, (typeof ATTRIBUTE_NAMES)[number]>, true> = {
    attributes: true,
    recipients: true,
    recipients_complete: true,
    listener: true,
    request_id: true,
    reference: true,
    now: true,
    param: true,
    secret: true,
  };
  const attributes: readonly (keyof ModuleRequest)[] = ATTRIBUTE_NAMES;
  const call = await mapping.render(requestOf());
  if (isFailure(call)) throw new Error(call.detail);
  const names = JSON.parse(call.body ?? "") as string[];
  expect(names.toSorted()).toEqual([...attributes, ...Object.keys(others)].toSorted());

  const reply: Record<keyof ModuleReply, true> = {
    status: true,
    headers: true,
    text: true,
    body: true,
    fault: true,
  };
  const action = await mapping.interpret(json(200, {}), requestOf());
  expect(isFailure(action) ? action.detail : action.action).toContain(Object.keys(reply).join(","));
});
