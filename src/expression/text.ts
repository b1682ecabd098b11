/**
 * Values of expressions as text and as JSON.
 *
 * In: what CEL gives, that is strings, bigints (int), numbers (double), booleans, null, arrays, Maps and plain objects,
 * and the library's own classes for optional values, uint, bytes, timestamps, durations and types.
 */
import { Optional } from "@marcbachmann/cel-js";
import { EvaluationError } from "./error.ts";

/** Far beyond what a reply may hold; a guard against running out of stack. */
const MAX_DEPTH = 500;

/** A value inside text: null and an optional without value are nothing, lists and maps are JSON. */
export function toText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      if (value === null) return "";
      if (value instanceof Optional) return value.hasValue() ? toText(value.value()) : "";
      return scalarText(value) ?? toJson(value);
    default:
      return "";
  }
}

/** A value as JSON text (RFC 8259). Ints keep all their digits; an optional without value is null. */
export function toJson(value: unknown, depth = 0): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "bigint":
    case "boolean":
      return String(value);
    case "number":
      if (Number.isFinite(value)) return JSON.stringify(value);
      throw new EvaluationError(`${value} cannot be written as JSON`);
    case "object":
      return objectJson(value, depth);
    default:
      return "null";
  }
}

function objectJson(value: object | null, depth: number): string {
  if (value === null) return "null";
  if (depth > MAX_DEPTH) throw new EvaluationError("the value is nested too deeply to be written as JSON");
  if (Array.isArray(value)) return `[${value.map((item) => toJson(item, depth + 1)).join(",")}]`;
  if (value instanceof Optional) return value.hasValue() ? toJson(value.value(), depth) : "null";
  const scalar = scalarText(value);
  if (scalar !== null) return typeof value.valueOf() === "bigint" ? scalar : JSON.stringify(scalar);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return `{${entries.map(([key, item]) => `${JSON.stringify(String(key))}:${toJson(item, depth + 1)}`).join(",")}}`;
}

/** uint as digits, bytes as base64, a timestamp as RFC 3339, a duration as `5s`, a type by its name; null for others. */
function scalarText(value: object): string | null {
  if (Array.isArray(value) || value instanceof Map) return null;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return null;
  if ("name" in value && typeof value.name === "string") return value.name;
  return String(value);
}

/** Null, an empty string, an empty list or map, an optional with nothing or one of these in it. */
export function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  if (typeof value !== "object") return false;
  if (Array.isArray(value)) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  if (value instanceof Optional) return !value.hasValue() || isEmpty(value.value());
  return Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).length === 0;
}
