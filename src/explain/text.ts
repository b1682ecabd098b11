/** How a decision came about, for people: a paragraph for each step. */
import type { Decision } from "../model/decision.ts";
import { visible } from "../text/visible.ts";
import type { ShownAttempt, ShownDecision, ShownSteps, ShownToken } from "./shown.ts";

const INDENT = 12;

export function stepsText(steps: ShownSteps): string {
  return stepsParagraphs(steps).map(visible).join("\n");
}

/**
 * One decision, with how it came about where that is known.
 *
 * @param from where it was found
 */
export function decisionText(decision: ShownDecision, from: string): string {
  const { reference, request_id: id, steps } = decision;
  const head = [...paragraph("Decision", [reference, `request_id ${id}`]), ...paragraph("From", [from])];
  const all = [...head, ...(steps === undefined ? loggedParagraphs(decision) : stepsParagraphs(steps))];
  return all.map(visible).join("\n");
}

/** One of several, in a line. */
export function decisionLine({ reference, attributes, action, source }: ShownDecision, time: string): string {
  const { sender = "<>", recipient = "" } = attributes;
  const who = recipient === "" ? sender : `${sender} to ${recipient}`;
  return `${time}  ${reference}  ${who}  ${action ?? "no reply"}  (${source})`;
}

/** What the log says; the call and the reply are not in it. */
function loggedParagraphs(decision: ShownDecision): string[] {
  const { attributes, listener, service, mapping, source, age, status, rule, cause, detail, action } =
    decision;
  const request = Object.entries(attributes).map(([name, value]) => `${name}=${value}`);
  const asked = service === undefined ? "none: a route decided" : `${service}, mapping ${mapping}`;
  const said = [
    ...(status === undefined ? [] : [`status ${status}`]),
    ...(age === undefined ? [] : [`remembered, of ${age} s ago`]),
  ];
  return [
    ...paragraph("Request", [...request, `listener=${listener}`]),
    ...paragraph("Service", [asked]),
    ...(said.length === 0 ? [] : paragraph("Reply", [said.join(", ")])),
    ...(cause === undefined ? [] : paragraph("Cause", [cause, detail ?? ""])),
    ...(rule === undefined ? [] : paragraph("Rule", [rule === 0 ? "the module's toAction" : `${rule}`])),
    ...paragraph("Source", [source]),
    ...paragraph("Action", [action ?? "none: the connection is closed without a reply"]).slice(0, -1),
  ];
}

function stepsParagraphs(steps: ShownSteps): string[] {
  const {
    request,
    route,
    route_text: text,
    tokens = [],
    attempts,
    further_attempts: further = 0,
    decision,
  } = steps;
  return [
    ...paragraph(
      "Request",
      Object.entries(request).map(([name, value]) => `${name}=${value}`),
    ),
    ...paragraph("Route", [route === undefined ? "none" : `${route}, ${text}`]),
    ...rememberedLines(steps),
    ...discoveredLines(steps),
    ...tokens.flatMap(tokenLines),
    ...attempts.flatMap((step, index) => attemptLines(steps, step, index)),
    ...(further === 0 ? [] : paragraph("Calls", [`and ${further} more before the last, which are not kept`])),
    ...sharedLines(steps),
    ...decisionLines(decision),
  ];
}

function rememberedLines({ remembered }: ShownSteps): string[] {
  if (remembered === undefined) return [];
  const { age, fresh, status, headers, body } = remembered;
  const state = fresh ? "fresh" : "past its ttl: used only when the service cannot answer";
  return paragraph("Remembered", [
    `status ${status}, of ${age} s ago, ${state}`,
    ...headerLines(headers),
    ...bodyLines(body),
  ]);
}

function discoveredLines({ discovered }: ShownSteps): string[] {
  if (discovered === undefined) return [];
  const { address, evaluation, evaluations, failure } = discovered;
  return paragraph("Discovered", [
    `by ${address}`,
    `evaluation ${evaluation}`,
    `evaluations ${evaluations ?? "none, so that there are no batches"}`,
    ...(failure === null ? [] : [`not read again: ${failure}`]),
  ]);
}

function tokenLines({ from, ms, failure }: ShownToken): string[] {
  if (failure === undefined) return paragraph("Token", [`fetched from ${from}, after ${ms} ms`]);
  return paragraph("Token", [`none from ${from}, after ${ms} ms: ${failure.cause}`, failure.detail]);
}

function attemptLines({ call }: ShownSteps, step: ShownAttempt, index: number): string[] {
  const { reply, failure } = step;
  const line = `${call?.method} ${step.url}`;
  const what =
    index === 0
      ? [line, ...headerLines(step.headers), ...bodyLines(step.body ?? call?.body)]
      : [
          `${line}, with the same headers ${step.body === undefined ? "and body" : "and, but for what each attempt has of its own, body"}`,
        ];
  const title = index === 0 ? "Call" : `Call ${index + 1}`;
  const outcome = reply
    ? paragraph("Reply", [
        `status ${reply.status}, after ${reply.ms} ms`,
        ...headerLines(reply.headers),
        ...bodyLines(reply.body),
      ])
    : failure
      ? paragraph("Failed", [`${failure.cause}, after ${failure.ms} ms`, failure.detail])
      : [];
  return [...paragraph(title, what), ...outcome];
}

function sharedLines({ shared, call }: ShownSteps): string[] {
  if (shared === undefined) return [];
  const { how, status, headers, body } = shared;
  const why =
    how === "joined" ? "the same call was under way for another request" : "it was one of several in a batch";
  return [
    ...paragraph("Call", [`none of its own: ${why}`, ...bodyLines(call?.body)]),
    ...paragraph("Reply", [`status ${status}`, ...headerLines(headers), ...bodyLines(body)]),
  ];
}

function decisionLines(decision: Decision | null): string[] {
  if (decision === null) return [];
  const action = decision.action ?? "none: the connection is closed without a reply";
  const from =
    decision.source === "default"
      ? [
          ...paragraph("Cause", [decision.cause ?? "", decision.detail ?? ""]),
          ...paragraph("on_failure", [action]),
        ]
      : decision.source === "route"
        ? []
        : paragraph("Rule", [decision.rule === 0 ? "the module's toAction" : `${decision.rule}`]);
  return [...from, ...paragraph("Action", [action]).slice(0, -1)];
}

/** With an empty line behind it. */
function paragraph(title: string, lines: readonly string[]): string[] {
  return [...lines.map((line, index) => ((index === 0 ? title : "").padEnd(INDENT) + line).trimEnd()), ""];
}

function headerLines(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}

function bodyLines(body: string | null | undefined): string[] {
  return body ? ["", ...body.trimEnd().split("\n")] : [];
}
