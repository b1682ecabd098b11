/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context/): what each call says of the trace that it belongs to.
 *
 * A trace is a message: its id is made of the `instance` that Postfix gives to all requests of one message, so that they
 * share it, on whatever connection, worker or host they are asked. A decision is a span in it, each attempt one below that;
 * their ids are made of the decision's own. So nothing has to be kept or drawn by lot, and whoever tells of the same decision
 * elsewhere comes to the same ids.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

/** Sampling of OpenTelemetry's specification that is done by the trace's id alone. */
export type Sampling = (traceId: string) => boolean;

/** Four beginnings, for four parts of an id. */
const SEEDS = [0x811c9dc5, 0x9e3779b1, 0x85ebca77, 0xc2b2ae3d];
const PRIME = 0x01000193;

/** The last one: requests of a message follow one another. */
let last = { instance: "", trace: "" };

/**
 * The id of the trace, 32 digits.
 *
 * @param instance of the message; without one (a client that has begun none) the decision is a trace of its own
 * @param id of the decision, a UUID
 */
export function traceId(instance: string, id: string): string {
  if (instance === "") return id.replaceAll("-", "");
  if (last.instance !== instance)
    last = { instance, trace: SEEDS.map((seed) => digits(hash(instance, seed))).join("") };
  return last.trace;
}

/**
 * The id of a span, 16 digits.
 *
 * @param id of the decision, a UUID
 * @param attempt from 1; 0: the decision itself
 */
export function spanId(id: string, attempt: number): string {
  return `${id.slice(0, 8)}${id.slice(9, 13)}${id.slice(24, 26)}${(attempt & 0xff).toString(16).padStart(2, "0")}`;
}

/** The header of an attempt: version, trace, span, whether it is recorded. */
export function traceparent(trace: string, span: string, isSampled: boolean): string {
  return `00-${trace}-${span}-${isSampled ? "01" : "00"}`;
}

/**
 * What OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG ask for: a request of Postfix has no parent, so that `parentbased_…`
 * is what it is at the root. What is unknown is passed over, as the specification has it.
 */
export function samplingOf(env: Environment): Sampling {
  const name = (env.OTEL_TRACES_SAMPLER ?? "").replace(/^parentbased_/, "");
  if (name === "always_off") return () => false;
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG ?? 1);
  if (name !== "traceidratio" || Number.isNaN(ratio) || ratio >= 1) return () => true;
  const bound = Math.max(0, ratio) * 2 ** 32;
  return (trace) => Number.parseInt(trace.slice(24), 16) < bound;
}

/** FNV-1a, and the last steps of MurmurHash3, that each bit of the text changes all of it. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), PRIME);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

function digits(value: number): string {
  return value.toString(16).padStart(8, "0");
}
