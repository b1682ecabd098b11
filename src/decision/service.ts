/** An authorization service as a decision sees it: how it is asked, and what is answered when it cannot be. */
import type { DecisionCache } from "../cache/cache.ts";
import type { Flights } from "../cache/flights.ts";
import type { OnFailure } from "../config/on-failure.ts";
import type { Mapping } from "../mapping/mapping.ts";
import type { Verdict } from "../model/decision.ts";
import type { UpstreamReply } from "../model/exchange.ts";
import type { Caller } from "../upstream/authzen-batch.ts";
import type { CallResult } from "../upstream/call.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { Fairness } from "./fairness.ts";
import type { Refresher } from "./refresher.ts";

/** A reply that a rule has answered. */
export interface Answer {
  readonly reply: UpstreamReply;
  readonly verdict: Verdict;
}

/** What its calls show to say who asks. */
export interface Credentials {
  /** Whether there is nothing that could change. */
  readonly isIdle: boolean;
  /** Grows with each change. */
  readonly changes: number;
  /** Whether a reply says that they are good no more; a 401 says so anyway. */
  isRefusal(reply: UpstreamReply): boolean;
  /** Looks for newer ones, since the service has refused those that there are. */
  refused(): Promise<void>;
  /** The token that is shown, if any is: where it is from, and for how many milliseconds it will be; 0: there is none. */
  readonly token: { readonly from: string; readonly remaining: number } | null;
  close(): Promise<void>;
}

export interface Service {
  readonly name: string;
  readonly mapping: Mapping;
  readonly upstream: Upstream;
  readonly credentials: Credentials;
  /** Puts the calls to `upstream`: one by one, or several as one. */
  readonly caller: Caller;
  /** Who is one asker. */
  readonly fairness: Fairness;
  /** Null: nothing is remembered. */
  readonly cache: DecisionCache | null;
  /** Lets go of the store of `cache`. */
  readonly releaseStore: () => Promise<void>;
  /** Calls under way that identical ones can join. */
  readonly flights: Flights<CallResult<Answer>>;
  readonly refresher: Refresher | null;
  /** For one decision: waiting, attempts and pauses together, in milliseconds. */
  readonly deadline: number;
  /** The same where Postfix says that it is under stress (STRESS_README). */
  readonly stressDeadline: number;
  readonly onFailure: OnFailure;
  /** Whether no call is made now, and on_failure for `offline` answers. */
  readonly isOffline: () => boolean;
}
