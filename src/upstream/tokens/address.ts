/** The addresses that tokens come from: where secrets may go, and how messages name them. */
import { isLoopback } from "../../model/loopback.ts";

/** Whether credentials may go there: nobody on the way can read them. */
export function isSafe(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname));
}

/** A URL as it is named in messages: without its query. */
export function shown(url: string): string {
  if (!URL.canParse(url)) return "an address that is none";
  const { origin, pathname } = new URL(url);
  return origin + pathname.replace(/\/$/, "");
}
