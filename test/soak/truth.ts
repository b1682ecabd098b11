/**
 * What the authorization service says, as a pure function of what it is asked: the service answers by it, and the
 * checker knows by it what each answer had to be.
 */
import { createHash } from "node:crypto";

/** What the service is told of a request; the mapping of bridge.ts sends just this. */
export interface Call {
  readonly state: string;
  readonly user: string;
  readonly sender: string;
  readonly recipient: string;
  /** At RCPT the one that is asked about. */
  readonly recipients: readonly string[];
  readonly count: number;
}

/** One text for each call that can be told apart from others. */
export function keyOf({ state, user, sender, recipient, recipients, count }: Call): string {
  return JSON.stringify([state, user, sender, recipient, recipients, count]);
}

/**
 * Why the call is refused; null: it is permitted.
 *
 * @param revoked the sender must not send any more
 * @param token what the service was shown; some refusals echo it, as real services do
 */
export function refusalOf(call: Call, revoked: boolean, token: string): string | null {
  const { state, sender, recipient, recipients } = call;
  if (revoked) return `revoked ${sender}`;
  if (state === "DATA") {
    // Whoever decides by a part of the recipients misses one of these.
    const refused = [...recipients].sort().find((one) => digest(`data ${one}`) % 5 === 0);
    return refused === undefined ? null : `not ${sender} with ${refused}`;
  }
  const value = digest(`${sender} ${recipient}`) % 20;
  if (value === 0) return `not ${sender} to ${recipient}, who showed ${token}`;
  return value < 5 ? `not ${sender} to ${recipient}` : null;
}

function digest(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE();
}
