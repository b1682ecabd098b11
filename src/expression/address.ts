/** The parts of an e-mail address as Postfix gives it: unquoted, so that only the last `@` divides it. */

/** `example.org` of `a@b@example.org`; empty where there is no `@`. */
export function domainOf(address: string): string {
  const at = address.lastIndexOf("@");
  return at === -1 ? "" : address.slice(at + 1);
}

/** `a@b` of `a@b@example.org`; the whole where there is no `@`. */
export function localPartOf(address: string): string {
  const at = address.lastIndexOf("@");
  return at === -1 ? address : address.slice(0, at);
}
