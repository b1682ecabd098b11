/** What `pfxbridge try` shows: each step of one decision, as it happened, with secrets masked. */
import type { Found } from "../cache/cache.ts";
import { MASK } from "../config/secret.ts";
import type { Trace } from "../decision/decide.ts";
import type { Route } from "../decision/routes.ts";
import type { Decision } from "../model/decision.ts";
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import { type PolicyRequest, policyRequest } from "../model/request.ts";
import { safeJson } from "../text/quote.ts";
import { visible } from "../text/visible.ts";
import type { DiscoveryReport } from "../upstream/discovery.ts";

interface AttemptStep {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Where it is not that of the call: a SOAP call takes something with each attempt. */
  readonly body?: string;
  reply?: ShownReply & { ms: number };
  failure?: Failure & { ms: number };
}

/** A token had to be fetched before the service could be asked. */
interface TokenStep {
  readonly from: string;
  readonly ms: number;
  readonly failure?: Failure;
}

interface ShownReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A reply's body is shown up to here, in characters. */
const SHOWN_BODY = 4096;

export class Explanation implements Trace {
  readonly request: PolicyRequest;
  readonly #mask: (text: string) => string;
  readonly #attempts: AttemptStep[] = [];
  readonly #tokens: TokenStep[] = [];
  #route: Route | null = null;
  #call: UpstreamRequest | null = null;
  #found: Found | null = null;
  #discovered: DiscoveryReport | null = null;
  #decision: Decision | null = null;

  constructor(attributes: readonly (readonly [string, string])[], mask: (text: string) => string) {
    const first = new Map<string, string>();
    for (const [name, value] of attributes) if (!first.has(name)) first.set(name, value);
    this.request = policyRequest(first, { listener: "try" });
    this.#mask = mask;
  }

  /** on_failure had to answer. */
  get failed(): boolean {
    return this.#decision?.source === "default";
  }

  onRoute(route: Route): void {
    this.#route = route;
  }

  onRendered(call: UpstreamRequest): void {
    this.#call = call;
  }

  onRemembered(found: Found): void {
    this.#found = found;
  }

  onDiscovered(report: DiscoveryReport): void {
    this.#discovered = report;
  }

  onCredentials(from: string, failure: Failure | null, milliseconds: number): void {
    this.#tokens.push({ from, ms: tenths(milliseconds), ...(failure !== null && { failure }) });
  }

  onAttempt(_attempt: number, url: string, headers: ReadonlyMap<string, string>, body: string | null): void {
    const own = body === null || body === this.#call?.body ? {} : { body: withoutDigest(body) };
    this.#attempts.push({ url, headers: Object.fromEntries(headers), ...own });
  }

  onReply(_attempt: number, reply: UpstreamReply, milliseconds: number): void {
    this.#attempts.at(-1)!.reply = { ...shownReply(reply), ms: tenths(milliseconds) };
  }

  onFailure(_attempt: number, failure: Failure, milliseconds: number): void {
    this.#attempts.at(-1)!.failure = { ...failure, ms: tenths(milliseconds) };
  }

  conclude(decision: Decision): void {
    this.#decision = decision;
  }

  /** For machines: one JSON document. */
  json(): string {
    const steps = {
      request: Object.fromEntries(this.request.attributes),
      request_id: this.request.id,
      route: this.#route?.number,
      call: this.#call ?? undefined,
      remembered: this.#found === null ? undefined : { age: this.#found.age, fresh: this.#found.fresh },
      discovered: this.#discovered ?? undefined,
      tokens: this.#tokens.length === 0 ? undefined : this.#tokens,
      attempts: this.#attempts,
      decision: this.#decision,
    };
    return safeJson(this.#mask(JSON.stringify(steps, null, 2)));
  }

  /** For people: a paragraph for each step. */
  text(): string {
    const lines = [
      ...paragraph(
        "Request",
        [...this.request.attributes].map(([name, value]) => `${name}=${value}`),
      ),
      ...paragraph("Route", [this.#routeLine()]),
      ...this.#rememberedLines(),
      ...this.#discoveredLines(),
      ...this.#tokens.flatMap(tokenLines),
      ...this.#attempts.flatMap((step, index) => this.#attemptLines(step, index)),
      ...this.#decisionLines(),
    ];
    return lines.map((line) => visible(this.#mask(line))).join("\n");
  }

  #routeLine(): string {
    const route = this.#route;
    if (route === null) return "none";
    const { target } = route;
    const leads = "action" in target ? `action ${target.action}` : `service ${target.service.name}`;
    return `${route.number}, ${route.when === null ? "which matches everything" : `when ${route.when.text}`}: ${leads}`;
  }

  #rememberedLines(): string[] {
    const found = this.#found;
    if (found === null) return [];
    const state = found.fresh ? "fresh" : "past its ttl: used only when the service cannot answer";
    const { status, headers, body } = shownReply(found.reply);
    return paragraph("Remembered", [
      `status ${status}, of ${found.age} s ago, ${state}`,
      ...headerLines(headers),
      ...bodyLines(body),
    ]);
  }

  #discoveredLines(): string[] {
    if (this.#discovered === null) return [];
    const { address, evaluation, evaluations, failure } = this.#discovered;
    return paragraph("Discovered", [
      `by ${address}`,
      `evaluation ${evaluation}`,
      `evaluations ${evaluations ?? "none, so that there are no batches"}`,
      ...(failure === null ? [] : [`not read again: ${failure}`]),
    ]);
  }

  #attemptLines(step: AttemptStep, index: number): string[] {
    const { reply, failure } = step;
    const line = `${this.#call?.method} ${step.url}`;
    const call =
      index === 0
        ? [line, ...headerLines(step.headers), ...bodyLines(step.body ?? this.#call?.body)]
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
    return [...paragraph(title, call), ...outcome];
  }

  #decisionLines(): string[] {
    const decision = this.#decision;
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
}

/** It is made of the password, which could be guessed from it and what stands beside it. */
function withoutDigest(body: string): string {
  return body.replace(/(<wsse:Password [^>]*>)[^<]*/, `$1${MASK}`);
}

function tokenLines({ from, ms, failure }: TokenStep): string[] {
  if (failure === undefined) return paragraph("Token", [`fetched from ${from}, after ${ms} ms`]);
  return paragraph("Token", [`none from ${from}, after ${ms} ms: ${failure.cause}`, failure.detail]);
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}

const INDENT = 12;

function paragraph(title: string, lines: readonly string[]): string[] {
  return [...lines.map((line, index) => ((index === 0 ? title : "").padEnd(INDENT) + line).trimEnd()), ""];
}

function shownReply({ status, headers, body }: UpstreamReply): ShownReply {
  const text = body.toString("utf8");
  const shown = text.length > SHOWN_BODY ? `${text.slice(0, SHOWN_BODY)}… (${body.length} bytes)` : text;
  return { status, headers: Object.fromEntries(headers), body: shown };
}

function headerLines(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}

function bodyLines(body: string | null | undefined): string[] {
  return body ? ["", ...body.trimEnd().split("\n")] : [];
}
