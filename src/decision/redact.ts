/**
 * Takes addresses out of the log (`log.redact`): masked, or as a short keyed hash, the same for the same value, by which lines can still
 * be found together.
 *
 * A value goes wherever it stands in the line: in its member, and in the texts of action and detail, where a service may
 * repeat it (also percent-encoded, and in another case). Parts of it, such as a local part by itself, are not looked for.
 */
import { createHmac } from "node:crypto";
import type { RedactConfig } from "../config/config.ts";
import type { Decision } from "../model/decision.ts";
import type { PersonalAttribute, PolicyRequest } from "../model/request.ts";
import { percentEncode } from "../text/percent.ts";

const MASKED = "***";
/** Of the hash, in hexadecimal: 64 bits, so that a billion addresses hardly ever share one. */
const HASH_LENGTH = 16;
/** A value that is shorter may be a part of a word: it is found only where it stands by itself. */
const WHOLE_WORD = 6;
const ADDRESS = /[^\s<>()[\]"',;:=@]+@[^\s<>()[\]"',;:=@]+/g;
const HOST_ADDRESS = /\b\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])/gi;

export class Redactor {
  readonly #fields: readonly PersonalAttribute[];
  readonly #key: { reveal(): string } | undefined;

  constructor({ fields, key }: RedactConfig) {
    this.#fields = fields;
    this.#key = key;
  }

  /** The request as the log shows it. */
  request(request: PolicyRequest): PolicyRequest {
    const attributes = new Map(request.attributes);
    for (const field of this.#fields) {
      const value = attributes.get(field);
      // No sender is a bounce, and nobody's address.
      if (value) attributes.set(field, this.#shown(value));
    }
    return { ...request, attributes };
  }

  /** The decision on that request as the log shows it. */
  decision(request: PolicyRequest, decision: Decision): Decision {
    const { action, detail } = decision;
    if (action === null && detail === undefined && decision.said === undefined) return decision;
    const values = this.#valuesOf(request);
    return {
      ...decision,
      action: action === null ? null : this.#without(action, values),
      detail: detail === undefined ? undefined : this.#without(detail, values),
      said: decision.said === undefined ? undefined : this.text(this.#without(decision.said, values)),
    };
  }

  /** A text of any request: all that looks like an address. */
  text(text: string): string {
    let shown = text;
    if (this.#fields.some((field) => field !== "client_address")) {
      shown = shown.replace(ADDRESS, (found) => this.#shown(found));
    }
    if (!this.#fields.includes("client_address")) return shown;
    return shown.replace(HOST_ADDRESS, (found) => this.#shown(found));
  }

  #valuesOf({ attributes, recipients }: PolicyRequest): ReadonlySet<string> {
    const values = new Set(this.#fields.map((field) => attributes.get(field) ?? ""));
    if (this.#fields.includes("recipient")) for (const recipient of recipients) values.add(recipient);
    values.delete("");
    return values;
  }

  #without(text: string, values: ReadonlySet<string>): string {
    let shown = text;
    const lower = text.toLowerCase();
    for (const value of [...values].toSorted((a, b) => b.length - a.length)) {
      const encoded = percentEncode(value);
      for (const form of new Set([value, encoded, encoded.replaceAll("%40", "@")])) {
        if (!lower.includes(form.toLowerCase())) continue;
        shown = shown.replace(patternOf(form), this.#shown(value));
      }
    }
    return shown;
  }

  #shown(value: string): string {
    if (this.#key === undefined) return MASKED;
    const hash = createHmac("sha256", this.#key.reveal()).update(value).digest("hex");
    return `hmac:${hash.slice(0, HASH_LENGTH)}`;
  }
}

function patternOf(value: string): RegExp {
  const literal = value.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return value.length < WHOLE_WORD
    ? new RegExp(`(?<![A-Za-z0-9])${literal}(?![A-Za-z0-9])`, "gi")
    : new RegExp(literal, "gi");
}
