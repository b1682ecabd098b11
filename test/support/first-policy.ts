/** The small policy that the guide to mappings shows for each product, and what it says of mail. */
import { readFile } from "node:fs/promises";
import { blocks } from "./blocks.ts";

const guide = await readFile(new URL("../../mappings/README.md", import.meta.url), "utf8");

/** The policy as the guide shows it, in the product's language. */
export function firstPolicy(language: string): string {
  const [block] = blocks(guide, language);
  if (block === undefined) throw new Error(`the guide shows no policy in ${language}`);
  return block.text;
}

const DENIED = "REJECT 5.7.1 Not authorized";

export const OWN = { client_address: "192.0.2.7" };
export const FOREIGN = { client_address: "198.51.100.9" };
export const MAIL = { sender: "alice@example.net", recipient: "bob@example.org" };
const LOGIN = { sasl_method: "PLAIN", sasl_username: "carol", sender: "carol@example.org" };

/** Who sends what, and the action. */
export type Case = readonly [string, Readonly<Record<string, string>>, string];

/** A policy beside it must let the user ceo@example.org send from anywhere. */
export const FIRST_POLICY: readonly Case[] = [
  ["a stranger in the own network", { ...OWN, ...MAIL }, "DUNNO"],
  ["a bounce from the own network", { ...OWN, ...MAIL, sender: "" }, "DUNNO"],
  [
    "a user, from anywhere to anywhere",
    { ...FOREIGN, ...MAIL, ...LOGIN, recipient: "d@example.com" },
    "DUNNO",
  ],
  ["a user over IPv6", { ...MAIL, ...LOGIN, client_address: "2001:db8::1" }, "DUNNO"],
  ["a stranger from elsewhere", { ...FOREIGN, ...MAIL }, DENIED],
  ["mail to another domain", { ...OWN, ...MAIL, recipient: "d@example.com" }, DENIED],
  ["a stranger in the name of the own domain", { ...OWN, ...MAIL, sender: "c@example.org" }, DENIED],
  ["a client without an address", { ...MAIL, client_address: "" }, DENIED],
  ["an action that no policy names", { ...OWN, ...MAIL, protocol_state: "VRFY" }, DENIED],
  ["a user whom a policy names", { ...FOREIGN, ...MAIL, sasl_username: "ceo@example.org" }, "DUNNO"],
  ["a stranger who claims to be that one", { ...FOREIGN, ...MAIL, sender: "ceo@example.org" }, DENIED],
];
